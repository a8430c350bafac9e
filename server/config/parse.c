// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The parser of config files: recursive descent over the lexer's scalars.
//
// A document is the members of a map, optionally in braces. A member is key, separator, value; what may separate and
// end them differs a little at the top level, in maps and in arrays (spec/client-protocol.md B5), and unhelpful
// freedoms of the reference are kept: a value without separator may stand on the next line, `}` ends a top-level value.
//
// Includes are parsed by a parser of their own, with a variable scope of their own, and their members are then appended
// where the include stands. A variable is looked for among the members seen so far, innermost map outwards, then in the
// environment, whose text is parsed as a value (again by a parser of its own, without scopes).
//
// The first error ends the parse. Bounded: nesting, include depth, and the bytes of all files and variable expansions
// together, so neither a cycle of includes nor a ladder of variables that double can eat the machine.
#include "server/config/parse.h"

#include <strings.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/config/lex.h"

// What all parsers of one tree share.
struct shared {
    const struct mg_config_source *src;
    struct mg_conf_tree *tree;
    struct mg_buf *err;
    size_t budget; // bytes that files, environment values and copies may still take
};

// The maps around a place, innermost first.
struct scope {
    struct mg_conf_value *map;
    const struct scope *outer;
};

// Environment variables that are being expanded, innermost first.
struct env_ref {
    const char *name;
    const struct env_ref *outer;
};

struct parser {
    struct shared *sh;
    struct mg_lex lex;
    const char *file;        // owned by the tree; "" for text
    int files;               // includes (and environment values) around this one
    const struct env_ref *env;
};

struct place {
    int line, col;
};

static int parse_value(struct parser *p, const struct scope *scope, int depth, struct mg_conf_value *out);
static int parse_document(struct parser *p, struct mg_conf_value *map, int depth);

static int fail(struct parser *p, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct parser *p, int code, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    mg_buf_vaddf(p->sh->err, fmt, ap);
    va_end(ap);
    return code;
}

// Hands the lexer's error text on; for use where a lexer call failed.
static int lex_failed(struct parser *p) {
    mg_buf_add(p->sh->err, p->lex.err.p, p->lex.err.len);
    return MG_ESYNTAX;
}

#define FAIL_LEX(p, ...) (mg_lex_fail(&(p)->lex, __VA_ARGS__), lex_failed(p))

static bool charge(struct shared *sh, size_t n) {
    if (n > sh->budget) return false;
    sh->budget -= n;
    return true;
}

static struct place here(const struct parser *p) { return (struct place){p->lex.line, mg_lex_col(&p->lex)}; }

static void put_place(const struct parser *p, struct place at, struct mg_conf_value *v) {
    v->file = p->file;
    v->line = at.line;
    v->col = at.col;
}

// Blanks, line ends and comments: where a key, an array item or a closing bracket may stand.
static void skip_filler(struct parser *p) {
    do
        mg_lex_skip_space(&p->lex);
    while (mg_lex_skip_comment(&p->lex));
}

// ---- variables ---------------------------------------------------------------------------------------------------

// Parses an environment value as a config value. It may name variables itself, but sees no scopes.
static int parse_env(struct parser *p, const char *name, const char *text, int depth, struct mg_conf_value *out) {
    size_t n = strlen(text);
    for (const struct env_ref *r = p->env; r; r = r->outer)
        if (strcmp(r->name, name) == 0)
            return fail(p, MG_ESYNTAX, "variable reference cycle for '%s'", name);
    if (p->files >= MG_CONF_MAX_INCLUDES || !charge(p->sh, n))
        return fail(p, MG_ERANGE, "too many nested or too long references");
    struct env_ref ref = {name, p->env};
    struct parser sub = {.sh = p->sh, .file = "", .files = p->files + 1, .env = &ref};
    struct mg_conf_value map = {.type = MG_CONF_MAP};
    struct mg_buf doc = MG_BUF_INIT;
    mg_buf_addf(&doc, "pk=%s", text);
    mg_lex_init(&sub.lex, mg_buf_slice(&doc));
    int rc = parse_document(&sub, &map, depth);
    mg_lex_fini(&sub.lex);
    mg_buf_fini(&doc);
    struct mg_conf_value *v = rc == MG_OK ? mg_conf_map_find(&map, "pk") : NULL;
    if (v != NULL) {
        mg_free(v->key);
        v->key = NULL;
        *out = *v;
        *v = (struct mg_conf_value){.type = MG_CONF_BOOL, .key = NULL};
    } else if (rc == MG_OK) {
        rc = MG_ENOTFOUND;
    }
    mg_conf_value_fini(&map);
    return rc;
}

static int resolve(struct parser *p, const struct scope *scope, const char *name, int depth, int line,
                   struct mg_conf_value *out) {
    for (const struct scope *s = scope; s; s = s->outer) {
        struct mg_conf_value *v = mg_conf_map_find(s->map, name);
        if (v == NULL) continue;
        v->used = true;
        if (mg_conf_value_copy(out, v, depth, &p->sh->budget)) {
            out->used = false;
            return MG_OK;
        }
        return fail(p, MG_ERANGE, "variable reference for '%s' on line %d expands to too much", name, line);
    }
    const struct mg_config_source *src = p->sh->src;
    const char *found = src->getenv ? src->getenv(src->ctx, name) : NULL;
    int rc = MG_ENOTFOUND;
    if (found != NULL) {
        char *text = mg_strdup(found);
        size_t before = p->sh->err->len;
        mg_buf_addf(p->sh->err, "variable reference for '%s' on line %d could not be parsed: ", name, line);
        rc = parse_env(p, name, text, depth, out);
        mg_free(text);
        if (rc == MG_OK || rc == MG_ENOTFOUND) p->sh->err->len = before;
    }
    if (rc == MG_ENOTFOUND)
        return fail(p, MG_ESYNTAX, "variable reference for '%s' on line %d can not be found", name, line);
    return rc;
}

// ---- values ------------------------------------------------------------------------------------------------------

static int parse_scalar(struct parser *p, const struct scope *scope, int depth, struct mg_conf_value *out) {
    struct mg_lex_scalar s = {.text = MG_BUF_INIT};
    int line = p->lex.line;
    int rc = mg_lex_scalar(&p->lex, &s);
    if (rc != MG_OK) {
        mg_buf_fini(&s.text);
        return lex_failed(p);
    }
    mg_buf_addc(&s.text, '\0');
    switch (s.kind) {
    case MG_LEX_STRING: *out = (struct mg_conf_value){.type = MG_CONF_STRING, .str = mg_strdup(s.text.p)}; break;
    case MG_LEX_DATETIME: *out = (struct mg_conf_value){.type = MG_CONF_DATETIME, .str = mg_strdup(s.text.p)}; break;
    case MG_LEX_INT: *out = (struct mg_conf_value){.type = MG_CONF_INT, .i = s.i}; break;
    case MG_LEX_FLOAT: *out = (struct mg_conf_value){.type = MG_CONF_FLOAT, .f = s.f}; break;
    case MG_LEX_BOOL: *out = (struct mg_conf_value){.type = MG_CONF_BOOL, .b = s.b}; break;
    case MG_LEX_VARIABLE:
        // spec/accounts-security.md 4: an unquoted $2a$... is a bcrypt hash, not a variable; only this prefix is.
        if (strncmp(s.text.p, "2a$", 3) == 0) {
            *out = (struct mg_conf_value){.type = MG_CONF_STRING, .str = mg_alloc(s.text.len + 1)};
            out->str[0] = '$';
            memcpy(out->str + 1, s.text.p, s.text.len);
        } else {
            rc = resolve(p, scope, s.text.p, depth, line, out);
        }
        break;
    }
    mg_buf_fini(&s.text);
    return rc;
}

// After '['.
static int parse_items(struct parser *p, const struct scope *scope, int depth, struct mg_conf_value *array) {
    char shown[8];
    for (;;) {
        skip_filler(p);
        int c = mg_lex_peek(&p->lex);
        if (c == ']') break;
        if (c == ',' || c == '/') return FAIL_LEX(p, "Unexpected array value terminator ','.");
        struct place at = here(p);
        struct mg_conf_value item;
        int rc = parse_value(p, scope, depth, &item);
        if (rc != MG_OK) return rc;
        put_place(p, at, &item);
        mg_conf_list_push(array, &item);
        do
            mg_lex_skip_blanks(&p->lex);
        while (mg_lex_skip_comment(&p->lex));
        c = mg_lex_peek(&p->lex);
        if (c == ']') break;
        if (c != ',' && !mg_lex_is_nl(c))
            return FAIL_LEX(p, "Expected an array value terminator \",\" or an array terminator \"]\", but got '%s' "
                               "instead.", mg_lex_show(&p->lex, shown));
        mg_lex_next(&p->lex);
    }
    mg_lex_next(&p->lex);
    return MG_OK;
}

static int parse_include(struct parser *p, struct mg_conf_value *map, int depth);

// After a bare key: the word include, followed by a blank, is no key. *done says that it was handled.
static int maybe_include(struct parser *p, const struct mg_buf *key, struct mg_conf_value *map, int depth,
                         bool *done) {
    *done = key->len == 7 && strncasecmp(key->p, "include", 7) == 0 && mg_lex_is_space(mg_lex_peek(&p->lex));
    return *done ? parse_include(p, map, depth) : MG_OK;
}

// Between key and value.
static int parse_separator(struct parser *p, bool top) {
    mg_lex_skip_space(&p->lex);
    int c = mg_lex_peek(&p->lex);
    if (c == MG_LEX_EOF && top)
        return fail(p, MG_ESYNTAX, "config is invalid (%s:%d:%d)", p->file, p->lex.line, mg_lex_col(&p->lex));
    bool sep = c == '=' || c == ':';
    if (sep) {
        mg_lex_next(&p->lex);
        if (top) mg_lex_skip_blanks(&p->lex);
        else mg_lex_skip_space(&p->lex);
        c = mg_lex_peek(&p->lex);
    }
    if (top) return MG_OK; // a line end here is refused by the lexer
    if (c == ',') return FAIL_LEX(p, "Unexpected map value terminator \",\".");
    if (c == '}') return FAIL_LEX(p, "Expected value but found the end of the map");
    if (c == MG_LEX_EOF) return FAIL_LEX(p, "Unexpected EOF processing map.");
    return MG_OK;
}

// One `key value` or include, appended to map.
static int parse_member(struct parser *p, const struct scope *scope, bool top, int depth) {
    struct mg_buf key = MG_BUF_INIT;
    struct place at = here(p);
    char shown[8];
    bool bare, included = false;
    int c = mg_lex_peek(&p->lex);
    if (c == '=' || c == ':')
        return FAIL_LEX(p, "Unexpected key separator '%s'%s", mg_lex_show(&p->lex, shown), top ? "" : ".");
    if (c == ']' && !top) return FAIL_LEX(p, "Unexpected array end ']' processing map.");
    if (c == '/') return FAIL_LEX(p, "Unexpected '/'");

    struct mg_conf_value v;
    int rc = mg_lex_key(&p->lex, &key, &bare);
    if (rc != MG_OK) rc = lex_failed(p);
    if (rc == MG_OK && bare) rc = maybe_include(p, &key, scope->map, depth, &included);
    if (rc == MG_OK && !included) rc = parse_separator(p, top);
    if (rc == MG_OK && !included) rc = parse_value(p, scope, depth, &v);
    if (rc == MG_OK && !included) {
        put_place(p, at, &v);
        v.key = mg_strndup(key.p, key.len);
        mg_conf_list_push(scope->map, &v);
    }
    mg_buf_fini(&key);
    return rc;
}

// After '{'.
static int parse_members(struct parser *p, const struct scope *scope, int depth) {
    char shown[8];
    for (;;) {
        skip_filler(p);
        int c = mg_lex_peek(&p->lex);
        if (c == '}') break;
        if (c == MG_LEX_EOF) return FAIL_LEX(p, "Unexpected EOF processing map.");
        int rc = parse_member(p, scope, false, depth);
        if (rc != MG_OK) return rc;
        do
            mg_lex_skip_blanks(&p->lex);
        while (mg_lex_skip_comment(&p->lex));
        c = mg_lex_peek(&p->lex);
        if (c == '}') break;
        if (c != ',' && c != ';' && !mg_lex_is_nl(c))
            return FAIL_LEX(p, "Expected a map value terminator \",\" or a map terminator \"}\", but got '%s' "
                               "instead.", mg_lex_show(&p->lex, shown));
        mg_lex_next(&p->lex);
    }
    mg_lex_next(&p->lex);
    mg_conf_map_dedupe(scope->map);
    return MG_OK;
}

// Any value; blanks before it are skipped. depth counts the lists around it. On failure *out is not to be freed.
static int parse_value(struct parser *p, const struct scope *scope, int depth, struct mg_conf_value *out) {
    mg_lex_skip_blanks(&p->lex);
    int c = mg_lex_peek(&p->lex);
    if (c != '[' && c != '{') return parse_scalar(p, scope, depth, out);
    if (depth >= MG_CONF_MAX_DEPTH) return FAIL_LEX(p, "Nesting is deeper than %d", MG_CONF_MAX_DEPTH);
    mg_lex_next(&p->lex);
    struct mg_conf_value list = {.type = c == '[' ? MG_CONF_ARRAY : MG_CONF_MAP};
    struct scope inner = {&list, scope};
    int rc = c == '[' ? parse_items(p, scope, depth + 1, &list) : parse_members(p, &inner, depth + 1);
    if (rc == MG_OK) *out = list;
    else mg_conf_value_fini(&list);
    return rc;
}

// ---- documents ---------------------------------------------------------------------------------------------------

// After a top-level value. `}` ends one even where no brace is open, as in the reference.
static int end_of_top_value(struct parser *p, int braces) {
    char shown[8];
    do
        mg_lex_skip_blanks(&p->lex);
    while (mg_lex_skip_comment(&p->lex));
    int c = mg_lex_peek(&p->lex);
    if (c == '}' && braces > 0) return MG_OK; // the document's loop closes it
    if (c == MG_LEX_EOF && braces == 0) return MG_OK;
    if (!mg_lex_is_nl(c) && c != ';' && c != ',' && c != '}')
        return FAIL_LEX(p, "Expected a %s-level value to end with a new line, comment or EOF, but got '%s' instead.",
                        braces ? "block" : "top", mg_lex_show(&p->lex, shown));
    mg_lex_next(&p->lex);
    return MG_OK;
}

// A '}' that opens no more: fine as the last thing of a document, where hand-made JSON leaves one.
static bool last_brace(struct parser *p) {
    struct mg_lex ahead = p->lex;
    mg_lex_next(&ahead);
    mg_lex_skip_space(&ahead);
    return mg_lex_peek(&ahead) == MG_LEX_EOF;
}

static int parse_document(struct parser *p, struct mg_conf_value *map, int depth) {
    struct scope scope = {map, NULL};
    int braces = 0;
    for (;;) {
        skip_filler(p);
        int c = mg_lex_peek(&p->lex);
        if (c == MG_LEX_EOF) break;
        if (c == '{' || (c == '}' && (braces > 0 || last_brace(p)))) {
            braces += c == '{' ? 1 : braces > 0 ? -1 : 0;
            mg_lex_next(&p->lex);
            continue;
        }
        int rc = parse_member(p, &scope, true, depth);
        if (rc == MG_OK) rc = end_of_top_value(p, braces);
        if (rc != MG_OK) return rc;
    }
    mg_conf_map_dedupe(map);
    return MG_OK;
}

// Reads and parses one file into map. The file name becomes the tree's.
static int parse_path(struct shared *sh, const char *path, int files, struct mg_conf_value *map, int depth) {
    struct mg_strlist *names = &sh->tree->files;
    struct parser p = {.sh = sh, .files = files};
    struct mg_buf text = MG_BUF_INIT;
    char err[512] = "";
    int rc = sh->src->read_file ? MG_OK : MG_EUNSUPPORTED;
    if (rc == MG_OK) rc = sh->src->read_file(sh->src->ctx, path, sh->budget, &text, err, sizeof(err));
    else mg_buf_adds(sh->err, "no files here");
    if (rc == MG_OK && !charge(sh, text.len))
        rc = fail(&p, MG_ERANGE, "config of more than %zu bytes", MG_CONF_MAX_BYTES);
    if (err[0] != '\0') mg_buf_adds(sh->err, err);
    if (rc == MG_OK) {
        mg_strlist_add(names, path);
        p.file = names->v[names->n - 1];
        mg_lex_init(&p.lex, mg_buf_slice(&text));
        rc = parse_document(&p, map, depth);
        mg_lex_fini(&p.lex);
    }
    mg_buf_fini(&text);
    return rc;
}

// The path of an include: always joined to the directory of the including file, absolute ones too (B5).
static char *join_path(const char *file, const char *path) {
    const char *slash = strrchr(file, '/');
    struct mg_buf b = MG_BUF_INIT;
    while (*path == '/')
        path++;
    if (slash != NULL) mg_buf_add(&b, file, (size_t)(slash - file) + 1);
    mg_buf_add(&b, path, strlen(path) + 1);
    return b.p;
}

static int parse_include(struct parser *p, struct mg_conf_value *map, int depth) {
    struct mg_buf path = MG_BUF_INIT;
    if (mg_lex_include_path(&p->lex, &path) != MG_OK) {
        mg_buf_fini(&path);
        return lex_failed(p);
    }
    mg_buf_addc(&path, '\0');
    size_t before = p->sh->err->len;
    mg_buf_addf(p->sh->err, "error parsing include file '%s', ", path.p);
    struct mg_conf_value sub = {.type = MG_CONF_MAP};
    int rc;
    if (p->files >= MG_CONF_MAX_INCLUDES) {
        rc = fail(p, MG_ERANGE, "includes are nested deeper than %d", MG_CONF_MAX_INCLUDES);
    } else {
        char *joined = join_path(p->file, path.p);
        rc = parse_path(p->sh, joined, p->files + 1, &sub, depth);
        mg_free(joined);
    }
    if (rc == MG_OK) {
        p->sh->err->len = before;
        for (size_t i = 0; i < sub.list.n; i++)
            mg_conf_list_push(map, &sub.list.v[i]);
        sub.list.n = 0;
    }
    mg_conf_value_fini(&sub);
    mg_buf_fini(&path);
    return rc;
}

int mg_conf_parse_file(const struct mg_config_source *src, const char *path, struct mg_conf_tree *out,
                       struct mg_buf *err) {
    *out = (struct mg_conf_tree){.root = {.type = MG_CONF_MAP, .file = ""}};
    struct shared sh = {.src = src, .tree = out, .err = err, .budget = MG_CONF_MAX_BYTES};
    int rc = parse_path(&sh, path, 0, &out->root, 1);
    if (rc != MG_OK) mg_conf_tree_fini(out);
    return rc;
}

int mg_conf_parse_text(const struct mg_config_source *src, mg_slice text, struct mg_conf_tree *out,
                       struct mg_buf *err) {
    *out = (struct mg_conf_tree){.root = {.type = MG_CONF_MAP, .file = ""}};
    struct shared sh = {.src = src, .tree = out, .err = err, .budget = MG_CONF_MAX_BYTES};
    struct parser p = {.sh = &sh, .file = ""};
    if (!charge(&sh, text.n)) return fail(&p, MG_ERANGE, "config of more than %zu bytes", MG_CONF_MAX_BYTES);
    mg_lex_init(&p.lex, text);
    int rc = parse_document(&p, &out->root, 1);
    mg_lex_fini(&p.lex);
    if (rc != MG_OK) mg_conf_tree_fini(out);
    return rc;
}

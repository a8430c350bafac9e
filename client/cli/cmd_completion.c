// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <string.h>

#include "client/cli/app.h"
#include "client/cli/commands.h"

// Each script gives the words up to the cursor to `midge complete -- WORD...` and offers what it prints. The one
// candidate ":files" means that file names belong here.

static const char bash[] =
    "# bash completion for midge: eval \"$(midge completion bash)\"\n"
    "_midge() {\n"
    "    local IFS=$'\\n' line word cur=${COMP_WORDS[COMP_CWORD]}\n"
    "    local -a before=()\n"
    "    COMPREPLY=()\n"
    "    # bash breaks --flag=value into three words; without the middle one they mean the same.\n"
    "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do [ \"$word\" = = ] || before+=(\"$word\"); done\n"
    "    [ \"$cur\" = = ] && cur=\n"
    "    while read -r line; do\n"
    "        line=${line%%$'\\t'*}\n"
    "        if [ \"$line\" = :files ]; then\n"
    "            COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
    "        elif [ -n \"$line\" ]; then\n"
    "            COMPREPLY+=(\"$line\")\n"
    "        fi\n"
    "    done < <(\"${COMP_WORDS[0]}\" complete -- \"${before[@]}\" \"$cur\" 2>/dev/null)\n"
    "}\n"
    "complete -o nosort -F _midge midge 2>/dev/null || complete -F _midge midge\n";

static const char zsh[] =
    "#compdef midge\n"
    "# zsh completion for midge: source <(midge completion zsh), or a file _midge in $fpath\n"
    "_midge() {\n"
    "    local line word about\n"
    "    local -a found\n"
    "    while IFS= read -r line; do\n"
    "        word=${line%%$'\\t'*} about=${line#*$'\\t'}\n"
    "        if [[ $word = :files ]]; then _files; continue; fi\n"
    "        found+=(\"${word//:/\\\\:}:$about\")\n"
    "    done < <(\"${words[1]}\" complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    (( $#found )) && _describe midge found\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _midge ]; then _midge \"$@\"; else compdef _midge midge; fi\n";

static const char fish[] =
    "# fish completion for midge: midge completion fish | source\n"
    "function __midge_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l found ($words[1] complete -- $words[2..-1] (commandline -ct) 2>/dev/null)\n"
    "    if string match -q ':files*' -- $found\n"
    "        __fish_complete_path (commandline -ct)\n"
    "    else\n"
    "        printf '%s\\n' $found\n"
    "    end\n"
    "end\n"
    "complete -c midge -f -a '(__midge_complete)'\n";

static int run(cli *app) {
    const char *shell = cli_arg_of(app, "shell");
    if (strcmp(shell, "bash") == 0) {
        fputs(bash, stdout);
    } else if (strcmp(shell, "zsh") == 0) {
        fputs(zsh, stdout);
    } else if (strcmp(shell, "fish") == 0) {
        fputs(fish, stdout);
    } else {
        return cli_fail(app, "the shell is bash, zsh or fish, not \"%s\"", shell);
    }
    return CLI_OK;
}

static const cli_arg args[] = {
    {.name = "shell", .help = "bash, zsh or fish", .required = true, .list = "bash zsh fish"},
    {0},
};

const cli_command cli_command_completion = {
    .name = "completion",
    .summary = "Write the script that completes midge in a shell",
    .text = "  eval \"$(midge completion bash)\"      # in ~/.bashrc\n"
            "  source <(midge completion zsh)       # in ~/.zshrc\n"
            "  midge completion fish | source       # in ~/.config/fish/config.fish\n",
    .args = args,
    .run = run,
};

static int run_complete(cli *app) {
    size_t n;
    const char *const *words = cli_args_of(app, "words", &n);
    char **copy = cli_alloc(app, (n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = cli_strndup(app, words[i], strlen(words[i]));
    cli_complete(app, &cli_root, copy, n, stdout);
    return CLI_OK;
}

static const cli_arg complete_args[] = {
    {.name = "words", .help = "The words of the line after the program's name, up to the cursor", .many = true},
    {0},
};

const cli_command cli_command_complete = {
    .name = "complete",
    .summary = "Write what may stand at the cursor; asked by the shells",
    .args = complete_args,
    .run = run_complete,
    .hidden = true,
};

// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// makecontext gives a fiber its stack; from then on switches are sigsetjmp and siglongjmp, which make no system calls.
// A fortified longjmp refuses to go to another stack, so this file must not be fortified.
#undef _FORTIFY_SOURCE
#include "test/sim/fiber.h"

#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES (512u * 1024) // as the stacks of a server's shards

struct fiber {
    sigjmp_buf here, back; // where the fiber and where the main program go on
    void (*fn)(void *);
    void *arg;
    char *stack; // a guard page, then STACK_BYTES
    size_t page;
    bool ended;
#ifdef FIBER_ASAN
    void *fake, *main_fake; // ASan's fake stacks while switched away
    const void *main_bottom;
    size_t main_size;
#endif
};

// The main program, before and after it lets f run.
static void prepare(struct fiber *f) {
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&f->main_fake, f->stack + f->page, STACK_BYTES);
#endif
    (void)f;
}

static void returned(struct fiber *f) {
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(f->main_fake, NULL, NULL);
#endif
    (void)f;
}

// The fiber, after and before the main program runs.
static void arrive(struct fiber *f) {
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(f->fake, &f->main_bottom, &f->main_size);
#endif
    (void)f;
}

static void leave(struct fiber *f, bool for_ever) {
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(for_ever ? NULL : &f->fake, f->main_bottom, f->main_size);
#endif
    (void)for_ever;
    if (sigsetjmp(f->here, 0) == 0) siglongjmp(f->back, 1);
}

// makecontext passes ints only: a pointer travels in two halves.
static void enter(unsigned high, unsigned low) {
    struct fiber *f = (struct fiber *)(((uintptr_t)high << 32) | low); // NOLINT
    arrive(f);
    leave(f, false); // back to fiber_new; the next time fiber_resume jumps to here
    arrive(f);
    f->fn(f->arg);
    f->ended = true;
    leave(f, true);
}

static void first_entry(struct fiber *f) {
    ucontext_t ctx;
    getcontext(&ctx);
    ctx.uc_stack.ss_sp = f->stack + f->page;
    ctx.uc_stack.ss_size = STACK_BYTES;
    ctx.uc_link = NULL;
    makecontext(&ctx, (void (*)(void))enter, 2, (unsigned)((uintptr_t)f >> 32), (unsigned)(uintptr_t)f);
    prepare(f);
    if (sigsetjmp(f->back, 0) == 0) setcontext(&ctx);
    returned(f);
}

struct fiber *fiber_new(void (*fn)(void *arg), void *arg) {
    struct fiber *f = mg_zalloc(sizeof(*f));
    f->fn = fn;
    f->arg = arg;
    f->page = (size_t)sysconf(_SC_PAGESIZE);
    f->stack = mmap(NULL, f->page + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    mg_assert(f->stack != MAP_FAILED);
    mg_assert(mprotect(f->stack, f->page, PROT_NONE) == 0);
    first_entry(f);
    return f;
}

void fiber_free(struct fiber *f) {
    mg_assert(f->ended);
    munmap(f->stack, f->page + STACK_BYTES);
    mg_free(f);
}

void fiber_resume(struct fiber *f) {
    mg_assert(!f->ended);
    prepare(f);
    if (sigsetjmp(f->back, 0) == 0) siglongjmp(f->here, 1);
    returned(f);
}

void fiber_yield(struct fiber *f) {
    leave(f, false);
    arrive(f);
}

bool fiber_ended(const struct fiber *f) { return f->ended; }

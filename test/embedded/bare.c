// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Starts a test program on a bare Cortex-M: vector table, .data and .bss, main; and what it says goes to the debugger,
// here the emulator (Arm's semihosting).
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern uint32_t bare_stack_top[], bare_data_load[], bare_data[], bare_data_end[], bare_bss[], bare_bss_end[];
int main(void);
void mini_write(const char *text);
void bare_reset(void);

enum { SYS_WRITE0 = 0x04, SYS_EXIT = 0x18, EXIT_OK = 0x20026, EXIT_ERROR = 0x20023 };

static void ask_debugger(uint32_t what, const void *with) {
    register uint32_t r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = with;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static _Noreturn void leave(uint32_t reason) {
    ask_debugger(SYS_EXIT, (const void *)(uintptr_t)reason);
    for (;;) {}
}

void mini_write(const char *text) { ask_debugger(SYS_WRITE0, text); }

static void on_fault(void) {
    mini_write("fault\n");
    leave(EXIT_ERROR);
}

void bare_reset(void) {
    memcpy(bare_data, bare_data_load, (size_t)((char *)bare_data_end - (char *)bare_data));
    memset(bare_bss, 0, (size_t)((char *)bare_bss_end - (char *)bare_bss));
    leave(main() == 0 ? EXIT_OK : EXIT_ERROR);
}

// Initial stack pointer, reset, NMI, hard fault; the others do not happen.
__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    bare_stack_top, (void *)bare_reset, (void *)on_fault, (void *)on_fault, (void *)on_fault, (void *)on_fault,
    (void *)on_fault,
};

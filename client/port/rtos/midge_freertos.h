// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge_freertos.h: a FreeRTOS task that owns an engine; other tasks publish through a queue. All memory is the
// caller's, so it may be static. Sockets come from lwip.c.
#ifndef MIDGE_FREERTOS_H
#define MIDGE_FREERTOS_H

#include <FreeRTOS.h>
#include <queue.h>
#include <task.h>

#include "client/port/rtos/midge_rtos.h"

// Change them to what the device needs.
#define MIDGE_TASK_STACK    1024 // words; lwIP's socket calls need most of it
#define MIDGE_TASK_QUEUE    8    // messages
#define MIDGE_TASK_SUBJECT  48   // bytes
#define MIDGE_TASK_DATA     128  // bytes
#define MIDGE_TASK_DELAY_MS 20   // how late a queued message may leave when nothing else wakes the task

typedef struct midge_task_message {
    uint8_t subject_len, data_len;
    char subject[MIDGE_TASK_SUBJECT];
    uint8_t data[MIDGE_TASK_DATA];
} midge_task_message;

typedef struct midge_task {
    midge *engine;
    midge_rtos net;
    QueueHandle_t queue;
    StaticQueue_t queue_memory;
    uint8_t queue_items[MIDGE_TASK_QUEUE * sizeof(midge_task_message)];
    StaticTask_t task;
    StackType_t stack[MIDGE_TASK_STACK];
} midge_task;

// Starts the task. engine is initialised and has its first subscriptions; from now on only its callbacks, which run on
// the task, may use it. The task ends when the engine is closed. 0, or ENOMEM.
int midge_task_start(midge_task *t, midge *engine, UBaseType_t priority);

// From any task, not from interrupts. Waits up to `wait` ticks for room in the queue. Errors: ETOOLARGE, EFULL.
int midge_task_publish(midge_task *t, midge_str subject, const void *data, size_t len, TickType_t wait);

#endif

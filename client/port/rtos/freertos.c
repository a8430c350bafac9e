// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/port/rtos/midge_freertos.h"

#include <string.h>

// A message stays in the queue until the engine has room for it, so the queue is what fills while there is no server.
static void publish_queued(midge_task *t) {
    midge_task_message message;
    while (xQueuePeek(t->queue, &message, 0) == pdTRUE) {
        midge_str subject = {message.subject, message.subject_len};
        if (midge_publish(t->engine, subject, message.data, message.data_len) == MIDGE_EFULL) return;
        xQueueReceive(t->queue, &message, 0);
    }
}

static void run(void *arg) {
    midge_task *t = arg;
    do {
        publish_queued(t);
    } while (midge_rtos_turn(t->engine, &t->net, MIDGE_TASK_DELAY_MS));
    vTaskDelete(NULL);
}

int midge_task_start(midge_task *t, midge *engine, UBaseType_t priority) {
    t->engine = engine;
    midge_rtos_init(&t->net);
    t->queue = xQueueCreateStatic(MIDGE_TASK_QUEUE, sizeof(midge_task_message), t->queue_items, &t->queue_memory);
    if (t->queue == NULL) return MIDGE_ENOMEM;
    TaskHandle_t task = xTaskCreateStatic(run, "midge", MIDGE_TASK_STACK, t, priority, t->stack, &t->task);
    return task != NULL ? 0 : MIDGE_ENOMEM;
}

int midge_task_publish(midge_task *t, midge_str subject, const void *data, size_t len, TickType_t wait) {
    midge_task_message message;
    if (subject.n > MIDGE_TASK_SUBJECT || len > MIDGE_TASK_DATA) return MIDGE_ETOOLARGE;
    message.subject_len = (uint8_t)subject.n;
    message.data_len = (uint8_t)len;
    memcpy(message.subject, subject.p, subject.n);
    if (len > 0) memcpy(message.data, data, len);
    return xQueueSend(t->queue, &message, wait) == pdTRUE ? 0 : MIDGE_EFULL;
}

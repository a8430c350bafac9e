// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Stands for the FreeRTOS headers FreeRTOS.h, task.h and queue.h: tasks are threads, so that client/port/rtos can run
// in tests. One tick is a millisecond; waiting for room in a queue is not needed there and not done.
#ifndef STUB_FREERTOS_H
#define STUB_FREERTOS_H

#include <pthread.h>
#include <stdint.h>
#include <string.h>

typedef long BaseType_t;
typedef unsigned long UBaseType_t;
typedef uint32_t TickType_t;
typedef uintptr_t StackType_t;
typedef void (*TaskFunction_t)(void *);
typedef pthread_t StaticTask_t;
typedef pthread_t *TaskHandle_t;

typedef struct {
    pthread_mutex_t lock;
    uint8_t *items;
    UBaseType_t length, size, first, count;
} StaticQueue_t;
typedef StaticQueue_t *QueueHandle_t;

#define pdTRUE           1
#define pdFALSE          0
#define pdMS_TO_TICKS(n) ((TickType_t)(n))

struct stub_task {
    TaskFunction_t run;
    void *arg;
};

static inline void *stub_task_run(void *arg) {
    struct stub_task *task = (struct stub_task *)arg;
    task->run(task->arg);
    return NULL;
}

static inline TaskHandle_t xTaskCreateStatic(TaskFunction_t run, const char *name, uint32_t depth, void *arg,
                                             UBaseType_t priority, StackType_t *stack, StaticTask_t *task) {
    struct stub_task *start = (struct stub_task *)stack; // FreeRTOS keeps the first frame there too
    (void)name;
    (void)depth;
    (void)priority;
    *start = (struct stub_task){run, arg};
    return pthread_create(task, NULL, stub_task_run, start) == 0 ? task : NULL;
}

// FreeRTOS demands that a task deletes itself instead of returning.
static inline void vTaskDelete(TaskHandle_t task) {
    (void)task;
    pthread_exit(NULL);
}

static inline QueueHandle_t xQueueCreateStatic(UBaseType_t length, UBaseType_t size, uint8_t *items,
                                               StaticQueue_t *queue) {
    *queue = (StaticQueue_t){.items = items, .length = length, .size = size};
    pthread_mutex_init(&queue->lock, NULL);
    return queue;
}

static inline BaseType_t xQueueSend(QueueHandle_t q, const void *item, TickType_t wait) {
    (void)wait;
    pthread_mutex_lock(&q->lock);
    BaseType_t ok = q->count < q->length;
    if (ok) memcpy(q->items + (q->first + q->count++) % q->length * q->size, item, q->size);
    pthread_mutex_unlock(&q->lock);
    return ok;
}

static inline BaseType_t xQueuePeek(QueueHandle_t q, void *item, TickType_t wait) {
    (void)wait;
    pthread_mutex_lock(&q->lock);
    BaseType_t ok = q->count > 0;
    if (ok) memcpy(item, q->items + q->first * q->size, q->size);
    pthread_mutex_unlock(&q->lock);
    return ok;
}

static inline BaseType_t xQueueReceive(QueueHandle_t q, void *item, TickType_t wait) {
    BaseType_t ok = xQueuePeek(q, item, wait);
    pthread_mutex_lock(&q->lock);
    if (ok) {
        q->first = (q->first + 1) % q->length;
        q->count--;
    }
    pthread_mutex_unlock(&q->lock);
    return ok;
}

#endif

// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The few functions of @std/assert that the JavaScript client's test suite calls, on top of node:assert: that package
// is only in Deno's own registry, these tests should need no other than npm's.

import nodeAssert from "node:assert";

type ErrorClass = abstract new (...args: never[]) => unknown;

export class AssertionError extends Error {
  override name = "AssertionError";
}

function need(holds: boolean, what: string, msg?: string): asserts holds {
  if (!holds) throw new AssertionError(msg ? `${what}: ${msg}` : what);
}

export function equal(a: unknown, b: unknown): boolean {
  try {
    nodeAssert.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

export function assert(value: unknown, msg?: string): asserts value {
  need(Boolean(value), "not true", msg);
}

export function assertFalse(value: unknown, msg?: string): void {
  need(!value, "not false", msg);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  try {
    nodeAssert.deepStrictEqual(actual, expected);
  } catch (err) {
    throw new AssertionError(`${msg ?? "not equal"}: ${(err as Error).message}`);
  }
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  need(!equal(actual, expected), "should differ", msg);
}

export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  need(Object.is(actual, expected), `${actual} is not ${expected}`, msg);
}

export function assertExists<T>(value: T, msg?: string): asserts value is NonNullable<T> {
  need(value !== undefined && value !== null, "does not exist", msg);
}

export function assertInstanceOf(value: unknown, type: ErrorClass, msg?: string): void {
  need(value instanceof type, `${value} is not an instance of ${type.name}`, msg);
}

export function assertIsError(value: unknown, type?: ErrorClass, includes?: string, msg?: string): void {
  need(value instanceof Error, `${value} is not an error`, msg);
  checkError(value, type, includes, msg);
}

export function assertAlmostEquals(actual: number, expected: number, tolerance = 1e-7, msg?: string): void {
  need(Math.abs(actual - expected) <= tolerance, `${actual} is not about ${expected}`, msg);
}

export function assertStringIncludes(actual: string, part: string, msg?: string): void {
  need(actual.includes(part), `"${actual}" does not include "${part}"`, msg);
}

export function assertArrayIncludes<T>(actual: ArrayLike<T>, parts: ArrayLike<T>, msg?: string): void {
  const have = Array.from(actual);
  for (const part of Array.from(parts)) need(have.some((item) => equal(item, part)), `${part} is missing`, msg);
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  need(expected.test(actual), `"${actual}" does not match ${expected}`, msg);
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  need(actual > expected, `${actual} is not greater than ${expected}`, msg);
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  need(actual >= expected, `${actual} is less than ${expected}`, msg);
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  need(actual < expected, `${actual} is not less than ${expected}`, msg);
}

export function fail(msg?: string): never {
  throw new AssertionError(`failed${msg ? `: ${msg}` : ""}`);
}

function checkError(err: unknown, type?: ErrorClass | string, includes?: string, msg?: string): Error {
  if (typeof type === "function") {
    need(err instanceof type, `threw ${err}, not ${type.name}`, msg);
    if (includes !== undefined) assertStringIncludes((err as Error).message, includes, msg);
  }
  return err as Error;
}

export function assertThrows(fn: () => unknown, type?: ErrorClass | string, includes?: string, msg?: string): Error {
  let thrown: { err: unknown } | undefined;
  try {
    fn();
  } catch (err) {
    thrown = { err };
  }
  need(thrown !== undefined, "should have thrown", msg);
  return checkError(thrown.err, type, includes, msg);
}

export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  type?: ErrorClass | string,
  includes?: string,
  msg?: string,
): Promise<Error> {
  let thrown: { err: unknown } | undefined;
  try {
    await fn();
  } catch (err) {
    thrown = { err };
  }
  need(thrown !== undefined, "should have rejected", msg);
  return checkError(thrown.err, type, includes, msg);
}

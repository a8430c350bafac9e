// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// ignore.mjs LIST FOLDER...: marks the tests named in LIST, one a line, as ignored in the FOLDERs' *_test.ts.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const [list, ...folders] = process.argv.slice(2);
const lines = readFileSync(list, "utf8").split("\n");
const names = new Set(lines.map((line) => line.replace(/#.*/, "").trim()).filter(Boolean));
const missing = new Set(names);
const paths = folders.flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`));
for (const path of paths.filter((name) => name.endsWith("_test.ts"))) {
  const source = readFileSync(path, "utf8");
  // Deno.test("name", ...) or Deno.test({ name: "name", ... })
  const heading = /^Deno\.test\((\s*(?:\{\s*name: )?)(["`])(.*?)\2/gm;
  writeFileSync(path, source.replace(heading, (whole, before, quote, name) => {
    if (!names.has(name)) return whole;
    missing.delete(name);
    return `Deno.test.ignore(${before}${quote}${name}${quote}`;
  }));
}
if (missing.size) {
  console.error(`${list} names tests that are not there: ${[...missing].join(", ")}`);
  process.exit(1);
}

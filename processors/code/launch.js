// Runs a JavaScript program of a job, in the program's own process: it may change all of this, and no verdict depends on it.
//
//     launch.js ENTRY INPUTS FILE [ARGUMENT...]
//
// ENTRY is the function that is called, or empty for `main`, if there is one. INPUTS is a file with a JSON list, or empty.
// What the function returns, or what its promise gives, goes to descriptor 3 as JSON. A program that calls `main` itself at
// the top level is left to do so; where it does that in `if (require.main === module)`, only when no inputs came. In an ES
// module the function has to be exported, as `main` or by default.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { Module, createRequire } = require("node:module");
const { pathToFileURL } = require("node:url");
const vm = require("node:vm");

const RETURN_FD = 3;
const PARAMETERS = ["exports", "require", "module", "__filename", "__dirname"];
const ACORN = "/usr/share/nodejs/acorn/dist/acorn.js"; // node's own parser, as Debian ships it

const [entry, inputsFile, file, ...programArguments] = process.argv.slice(2);
const name = entry || "main";
const full = path.resolve(file);
process.argv = [process.argv[0], full, ...programArguments];

const source = fs.readFileSync(full, "utf8").replace(/^#!.*/, "");
let inputs = null;
if (inputsFile) {
  inputs = JSON.parse(fs.readFileSync(inputsFile, "utf8"));
  fs.unlinkSync(inputsFile);
}

const parse = (sourceType) => require(ACORN).parse(source, {
  ecmaVersion: "latest", sourceType, allowReturnOutsideFunction: true, allowAwaitOutsideFunction: sourceType === "module",
});

// What is wrong with a program that nobody can parse will be said when it runs.
function parseAsEither() {
  for (const kind of ["script", "module"]) try { return parse(kind); } catch {}
  return null;
}

// Parsed only where the name is in it at all, because that takes some milliseconds.
function describe() {
  if (!new RegExp(`\\b${name.replace(/\$/g, "\\$")}\\b`).test(source)) return { isDefined: false, startsItself: false };
  const tree = parseAsEither();
  if (!tree) return { isDefined: false, startsItself: false };
  const isDefined = tree.body.some((node) =>
    (node.type === "FunctionDeclaration" && node.id.name === name) ||
    (node.type === "VariableDeclaration" && node.declarations.some((each) => each.id.name === name)));
  let startsItself = false;
  const visit = (node, isInCall) => {
    if (!node || typeof node.type !== "string" || /Function|Class/.test(node.type)) return;
    if (isInCall && node.type === "Identifier" && node.name === name) startsItself = true;
    const isCall = isInCall || node.type === "CallExpression";
    for (const [key, value] of Object.entries(node)) {
      if (key === "property" && !node.computed) continue; // require.main is none of ours
      for (const child of Array.isArray(value) ? value : [value]) if (child && typeof child === "object") visit(child, isCall);
    }
  };
  // With inputs, its own way to start itself (`if (require.main === module)`) is left alone.
  const isGuard = (node) => node.type === "IfStatement" && source.slice(node.test.start, node.test.end).includes("require.main");
  tree.body.filter((node) => inputs === null || !isGuard(node)).forEach((node) => visit(node, false));
  return { isDefined, startsItself };
}

function giveBack(value) {
  const text = JSON.stringify(value === undefined ? null : value);
  if (text === undefined) throw new TypeError("What was returned cannot be written as JSON.");
  let data = Buffer.from(text);
  while (data.length) data = data.subarray(fs.writeSync(RETURN_FD, data));
}

async function callAndGiveBack(found) {
  if (typeof found !== "function") throw new Error(`There is no function ${name} in ${file}.`);
  giveBack(await found(...(inputs ?? [])));
}

// As node does with what nobody catches: the stack on stderr, and exit code 1.
function fail(error) {
  setImmediate(() => { throw error; });
}

function runScript(body, isCalled) {
  const module = new Module(full, null);
  module.filename = full;
  module.paths = Module._nodeModulePaths(path.dirname(full));
  const requireHere = createRequire(full);
  if (!isCalled) {
    requireHere.main = module; // `require.main === module` starts a program that is run by itself
    process.mainModule = module;
  }
  const found = body.call(module.exports, module.exports, requireHere, module, full, path.dirname(full));
  const exported = module.exports && module.exports[name];
  return found ?? exported;
}

const compile = (text, columnOffset = 0) => vm.compileFunction(text, PARAMETERS, {
  filename: file, columnOffset, importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});

// An ES module, or a script with `await` at the top level, which becomes a function that is asynchronous.
function startOther(error, ending, isCalled) {
  const tree = parseAsEither();
  if (!tree || tree.sourceType !== "module") throw error;
  if (tree.body.some((node) => /^(Import|Export)/.test(node.type)) || source.includes("import.meta")) {
    return import(pathToFileURL(full).href).then((module) => {
      const found = module[name] ?? (entry ? undefined : module.default);
      if (entry || typeof found === "function") return callAndGiveBack(found);
    });
  }
  const prefix = "return (async () => { ";
  const body = compile(`${prefix}${source}${ending}\n})();`, -prefix.length);
  return runScript(body, isCalled).then((found) => { if (isCalled) return callAndGiveBack(found); });
}

function start() {
  const { isDefined, startsItself } = describe();
  const isCalled = Boolean(entry) || (isDefined && !startsItself);
  const ending = isCalled && isDefined ? `\n;return ${name};` : "";
  let body;
  try {
    body = compile(source + ending);
  } catch (error) {
    return startOther(error, ending, isCalled)?.catch(fail);
  }
  const found = runScript(body, isCalled);
  if (isCalled) callAndGiveBack(found).catch(fail);
}

start();

'use strict';

/**
 * Hands over from an older Node to the Node 24 that npm brought.
 *
 * Where Node can replace its own process (from 22.15), it does. Elsewhere the old process stays as a parent that does
 * nothing but pass signals on, and must never leave a backup behind that nobody knows of: the child holds one end of a
 * pipe and ends itself when the other end is gone, however the parent died.
 */

const { spawn } = require('node:child_process');
const { complain, complainOfDependencies } = require('./complain.cjs');
const { engineFlags } = require('./engine.cjs');
const { findNode24, hasNode24Package } = require('./node24.cjs');
const { hideExperimentalWarnings } = require('./warnings.cjs');

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Runs `script` with this process's arguments on Node 24; does not return to the caller's work. */
function handOver(script) {
  const node = findNode24();
  if (node === undefined) {
    if (hasNode24Package()) complainOfDependencies();
    complain(`it needs Node 24, and this is ${process.version}; install Node 24 or newer, then run this again`);
  }
  const args = [...engineFlags(), script, ...process.argv.slice(2)];
  if (typeof process.execve === 'function') {
    hideExperimentalWarnings();
    process.execve(node, [node, ...args], process.env);
  }
  runAsChild(node, args);
}

function runAsChild(node, args) {
  const child = spawn(node, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, HOLDFAST_LAUNCHER_FD: '3' },
  });
  const channel = child.stdio[3];
  // A child that has just ended cannot read a signal any more; its 'exit' event says what became of it.
  channel.on('error', (error) => {
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
  });
  // Sent through the pipe and not by kill: the child knows whether the terminal has told it already.
  for (const signal of SIGNALS) process.on(signal, () => channel.write(`${signal}\n`));
  child.on('error', (error) => complain(`${node} does not start (${error.code ?? error.message}); install Node 24`));
  child.on('exit', endLike);
}

/** Ends as the child did, so that whoever waits for this process sees its exit code or its signal. */
function endLike(code, signal) {
  if (signal === null) process.exit(code);
  for (const name of SIGNALS) process.removeAllListeners(name);
  process.kill(process.pid, signal);
  // A signal that ends nothing here still must not look like success.
  setTimeout(() => process.exit(1), 1000);
}

module.exports = { handOver };

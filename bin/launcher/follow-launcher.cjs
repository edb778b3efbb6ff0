'use strict';

/** The child's side of hand-over.cjs: ends with the launcher, and takes the signals that only the launcher got. */

const { Socket } = require('node:net');

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** How far apart the same signal may reach launcher and child when both are told at once. */
const TOGETHER_MS = 100;

function followLauncher() {
  const fd = Number(process.env.HOLDFAST_LAUNCHER_FD);
  delete process.env.HOLDFAST_LAUNCHER_FD;
  const takeFromLauncher = listenForSignals();
  const channel = new Socket({ fd, readable: true, writable: false });
  channel.setEncoding('latin1');
  let pending = '';
  channel.on('data', (text) => {
    const lines = (pending + text).split('\n');
    pending = lines.pop();
    for (const line of lines) takeFromLauncher(line);
  });
  // The launcher is gone, by kill -9 or a crash. Whatever this process is at, nobody would ever hear how it ended.
  const end = () => process.kill(process.pid, 'SIGKILL');
  channel.on('end', end);
  channel.on('error', end);
  channel.unref();
}

/**
 * Ctrl-C reaches launcher and child alike, and so does a service manager that signals every process of a service. The
 * launcher's word is taken only when the child has not got that signal itself, so that one Ctrl-C stays one.
 */
function listenForSignals() {
  const lastMs = new Map();
  const seenTogether = (signal) =>
    performance.now() - (lastMs.get(signal) ?? Number.NEGATIVE_INFINITY) < TOGETHER_MS * 2;
  for (const signal of SIGNALS) process.on(signal, onSignal);

  function onSignal(signal) {
    lastMs.set(signal, performance.now());
    if (process.listenerCount(signal) > 1) return;
    // Nobody else listens: do what would have happened without this listener.
    process.removeListener(signal, onSignal);
    process.kill(process.pid, signal);
  }

  return (signal) => {
    if (!SIGNALS.includes(signal) || seenTogether(signal)) return;
    setTimeout(() => {
      if (!seenTogether(signal)) process.kill(process.pid, signal);
    }, TOGETHER_MS).unref();
  };
}

module.exports = { followLauncher };

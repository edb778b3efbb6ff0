import { formatDuration } from '../../../foundation/units.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { SourceFacts } from '../facts/facts.ts';
import type { RecoveryForecast } from '../facts/samples.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { moment } from './words.ts';

const DAY_MS = 24 * 3_600_000;

/** The last proof took longer than a recovery may, or at this growth one will before long. */
export const rtoForecast: AlertRule = {
  basis: 'sources',
  find: ({ nowMs, forecasts, sources }, { withinMs }) => {
    const missed = sources.flatMap((each) => missedNow(each));
    const names = new Set(missed.map(({ subject }) => subject));
    const soon = forecasts.filter(
      ({ source, missedAtMs }) => missedAtMs !== undefined && missedAtMs - nowMs <= withinMs! && !names.has(source),
    );
    return [...missed, ...soon.map((each) => missedSoon(each, nowMs))];
  },
  example(plan, _rule, nowMs) {
    const { source } = exampleSource(plan);
    const promisedMs = source.objectives.rtoMs ?? DAY_MS / 6;
    const forecast = { source: source.name, nowMs: promisedMs * 0.95, promisedMs, missedAtMs: nowMs + 10 * DAY_MS };
    return exampleFacts(plan, nowMs, { forecasts: [forecast] });
  },
};

function missedNow({ source: { name }, status, proof }: SourceFacts): Found[] {
  const { missed, actual, objectives } = status;
  if (!missed.includes('rto')) return [];
  const took = `the last proof of ${name} took ${formatDuration(actual.rtoMs!)}`;
  return [
    {
      subject: name,
      message: `${took}; promised are ${formatDuration(objectives.rtoMs!)}`,
      sinceMs: proof?.timeMs ?? Number.POSITIVE_INFINITY,
      endangers: `the time in which ${name} is to be back`,
      command: `holdfast objectives ${name}`,
    },
  ];
}

function missedSoon({ source, nowMs: tookMs, promisedMs, missedAtMs }: RecoveryForecast, nowMs: number): Found {
  const day = moment(missedAtMs!).slice(0, 10);
  const message =
    missedAtMs! <= nowMs
      ? `a recovery of ${source} takes ${formatDuration(tookMs)}; promised are ${formatDuration(promisedMs)}`
      : `at this growth a recovery of ${source} takes longer from ${day} on than the ${formatDuration(promisedMs)} that are promised`;
  return {
    subject: source,
    message,
    sinceMs: nowMs,
    endangers: `the time in which ${source} is to be back`,
    command: `holdfast objectives ${source}`,
  };
}

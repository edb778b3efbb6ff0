/** What no single key of alerts, verification, reports and services can tell: that their names exist. Pure. */
import type { Finding } from '../problems.ts';
import type { ChannelPlan } from './channel-schema.ts';

interface Context {
  /** What stands at a path. */
  at(...path: PropertyKey[]): unknown;
  /** What stands at a path, unless something in it is wrong. */
  sound(...path: PropertyKey[]): unknown;
  sources: string[];
  /** Tells of a name that nothing defines, with the nearest that is. */
  unknown(what: string, path: PropertyKey[], given: string, known: string[]): Finding;
}

const CHECKPOINT_CHANNELS = ['ledger', 'checkpoints', 'channels'];

/** Every place of a list of names, and what defines them. */
export function alertFindings(context: Context): Finding[] {
  const { at } = context;
  const channels = namesIn(at('alerts', 'channels'));
  const contacts = namesIn(at('contacts'));
  return [
    ...contacts.flatMap((name) => named(context, 'channel', ['contacts', name, 'channel'], channels)),
    ...eachOf(at('alerts', 'routes')).flatMap((index) =>
      named(context, 'channel', ['alerts', 'routes', index, 'to'], channels),
    ),
    ...eachOf(at('alerts', 'escalation')).flatMap((index) => rungFindings(context, index, contacts)),
    ...eachOf(at('reports')).flatMap((index) => listed(context, 'channel', ['reports', index, 'to'], channels)),
    ...listed(context, 'channel', CHECKPOINT_CHANNELS, channels),
    ...deafFindings(context, contacts),
    ...verificationFindings(context),
  ];
}

const DEAF = {
  alerts: { heartbeat: 'a heartbeat' },
  reports: { heartbeat: 'a heartbeat', pagerduty: 'PagerDuty' },
  checkpoints: { heartbeat: 'a heartbeat', pagerduty: 'PagerDuty' },
} as const satisfies Record<string, Partial<Record<ChannelPlan['type'], string>>>;

/** No channel is to be told what it does not take. */
function deafFindings({ at, sound }: Context, contacts: string[]): Finding[] {
  const deaf = (path: PropertyKey[], what: keyof typeof DEAF): Finding[] => {
    const given = sound(...path);
    if (typeof given !== 'string') return [];
    const type = String(at('alerts', 'channels', given, 'type'));
    const name = Object.entries(DEAF[what]).find(([each]) => each === type)?.[1];
    if (name === undefined) return [];
    return [{ path, at: 'value', found: given, message: `"${given}" is ${name}, which takes no ${what}` }];
  };
  return [
    ...contacts.flatMap((name) => deaf(['contacts', name, 'channel'], 'alerts')),
    ...eachOf(at('alerts', 'routes')).flatMap((index) => deaf(['alerts', 'routes', index, 'to'], 'alerts')),
    ...eachOf(at('reports')).flatMap((index) =>
      listAt(sound('reports', index, 'to')).flatMap((_, place) => deaf(['reports', index, 'to', place], 'reports')),
    ),
    ...listAt(sound(...CHECKPOINT_CHANNELS)).flatMap((_, place) =>
      deaf([...CHECKPOINT_CHANNELS, place], 'checkpoints'),
    ),
  ];
}

/** Whoever is to be told of an alert can be. */
function rungFindings(context: Context, index: number, contacts: string[]): Finding[] {
  const path = ['alerts', 'escalation', index, 'notify'];
  const unreachable = listAt(context.sound(...path)).flatMap((given, position): Finding[] => {
    if (!contacts.includes(given) || context.at('contacts', given, 'channel') !== undefined) return [];
    const message = `"${given}" has no channel, through which an alert could reach it`;
    return [{ path: [...path, position], at: 'value', found: given, message }];
  });
  return [...listed(context, 'contact', path, contacts), ...unreachable];
}

function verificationFindings(context: Context): Finding[] {
  const { at, sound, sources } = context;
  const sandboxes = namesIn(at('sandboxes'));
  const names = eachOf(at('verification')).map((index) => sound('verification', index, 'name'));
  return names.flatMap((name, index): Finding[] => {
    const path = ['verification', index];
    const given = at(...path, 'sandbox');
    const chosen = typeof given === 'string' ? [] : namesIn(given);
    const strangers = chosen.filter((source) => source !== 'default' && !sources.includes(source));
    const twice = names.indexOf(name) < index && typeof name === 'string';
    return [
      ...(twice
        ? [
            {
              path: [...path, 'name'],
              at: 'value' as const,
              found: name,
              message: `"${name}" is already the name of a verification`,
            },
          ]
        : []),
      ...listed(context, 'source', [...path, 'sources'], sources),
      ...(typeof given === 'string' ? named(context, 'sandbox', [...path, 'sandbox'], sandboxes) : []),
      ...strangers.map((source) => ({
        ...context.unknown('source', [...path, 'sandbox', source], source, sources),
        at: 'key' as const,
      })),
      ...chosen.flatMap((source) => named(context, 'sandbox', [...path, 'sandbox', source], sandboxes)),
    ];
  });
}

function named({ sound, unknown }: Context, what: string, path: PropertyKey[], known: string[]): Finding[] {
  const given = sound(...path);
  return typeof given === 'string' && !known.includes(given) ? [unknown(what, path, given, known)] : [];
}

function listed(context: Context, what: string, path: PropertyKey[], known: string[]): Finding[] {
  return listAt(context.sound(...path)).flatMap((_, index) => named(context, what, [...path, index], known));
}

function eachOf(value: unknown): number[] {
  return Array.isArray(value) ? value.map((_, index) => index) : [];
}

function listAt(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function namesIn(value: unknown): string[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

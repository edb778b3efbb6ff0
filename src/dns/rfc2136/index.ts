/** Dynamic updates of a zone at its primary server. Source: RFC 2136. */
import { HoldfastError } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import type { DnsRecord, DnsReplaced, DnsServer, DnsState, Rfc2136Settings } from '../dns.ts';
import { type Exchanged, exchange } from './exchange.ts';
import { CLASS, OPCODE, TYPES, type WireRecord } from './message.ts';
import { isBelow, plainName } from './names.ts';
import { decodeValue, encodeValue, plainValue } from './values.ts';

/** How long the new value is waited for: a server that took an update answers with it at once. */
const LONGEST_WAIT_MS = 3_000;
const PAUSE_MS = 100;
const SERIAL_FROM_END = 20;
const CODE = { done: 0, noName: 3, refused: 5, exists: 7, isMissing: 8, notAuthorized: 9, notZone: 10 } as const;
const CODE_NAMES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];

interface Held extends DnsState {
  /** Its records, as a prerequisite has them. */
  records: WireRecord[];
  ttlSeconds: number | undefined;
}

/** A primary server that takes updates of its zones. */
export function createRfc2136Server(settings: Rfc2136Settings): DnsServer {
  const server = new Rfc2136Server(settings);
  return {
    look: async (record, zone, signal) => {
      const { values, zone: found } = await server.read(record, zone, signal);
      return { zone: found, values };
    },
    replace: (record, zone, signal) => server.replace(record, zone, signal),
  };
}

class Rfc2136Server {
  readonly #settings: Rfc2136Settings;

  constructor(settings: Rfc2136Settings) {
    this.#settings = settings;
  }

  async replace(record: DnsRecord, givenZone: string | undefined, signal: AbortSignal): Promise<DnsReplaced> {
    const before = await this.read(record, givenZone, signal);
    const { zone } = before;
    const wasSo = isSo(before, record);
    if (!wasSo) await this.#update(record, before, signal);
    const { values } = await this.#untilSo(record, zone, signal);
    return { zone, before: before.values, values, wasSo, serial: await this.#serial(zone, signal) };
  }

  async read({ name, type, value }: DnsRecord, givenZone: string | undefined, signal: AbortSignal): Promise<Held> {
    // What is no value is said before anything is asked.
    encodeValue(type, value);
    const plain = plainName(name);
    const zone = givenZone === undefined ? await this.#zoneOf(plain, signal) : plainName(givenZone);
    if (!isBelow(plain, zone))
      throw this.#unsuitable(`${name} is no name of the zone ${zone}`, 'See `zone` and `name`.');
    const { answer, message } = await this.#ask({ name: plain, type: TYPES[type] }, signal);
    if (!answer.isAuthoritative) throw this.#notAuthoritative(name);
    const own = answer.answers.filter((each) => each.name === plain && each.class === CLASS.IN);
    if (type !== 'CNAME' && own.some((each) => each.type === TYPES.CNAME)) {
      throw this.#unsuitable(
        `${name} is an alias (CNAME), and can have no record of type ${type} beside it`,
        'Let the step change the CNAME, or the name that it leads to.',
      );
    }
    const found = own.filter((each) => each.type === TYPES[type]);
    const values = found.map((each) => decodeValue(type, message, each));
    const records = values.map((each) => ({
      name: plain,
      type: TYPES[type],
      class: CLASS.IN,
      ttlSeconds: 0,
      data: encodeValue(type, each),
    }));
    return { zone, values, records, ttlSeconds: found[0]?.ttlSeconds };
  }

  /** Only where it is still what was seen: two who change it at once do not undo each other unseen. */
  async #update(record: DnsRecord, { zone, records }: Held, signal: AbortSignal): Promise<void> {
    const { name, ttlSeconds } = record;
    const type = TYPES[record.type];
    const nothing = Buffer.alloc(0);
    const absent: WireRecord = { name, type, class: CLASS.NONE, ttlSeconds: 0, data: nothing };
    const { answer } = await exchange(
      this.#settings,
      {
        opcode: OPCODE.UPDATE,
        question: { name: zone, type: TYPES.SOA },
        prerequisites: records.length === 0 ? [absent] : records,
        updates: [
          { name, type, class: CLASS.ANY, ttlSeconds: 0, data: nothing },
          { name, type, class: CLASS.IN, ttlSeconds, data: encodeValue(record.type, record.value) },
        ],
      },
      signal,
    );
    if (answer.code === CODE.done) return;
    if (answer.code === CODE.exists || answer.code === CODE.isMissing) throw this.#changedMeanwhile(name);
    throw this.#refused(`an update of ${zone}`, answer.code);
  }

  async #untilSo(record: DnsRecord, zone: string, signal: AbortSignal): Promise<Held> {
    const pause = pauseUntilAborted(signal);
    for (let waitedMs = 0; ; waitedMs += PAUSE_MS) {
      const held = await this.read(record, zone, signal);
      if (isSo(held, record)) return held;
      if (waitedMs >= LONGEST_WAIT_MS) throw this.#notTaken(record, held);
      await pause(PAUSE_MS);
    }
  }

  /** The zone that a name is in: the nearest above it of which the server has a SOA record. */
  async #zoneOf(name: string, signal: AbortSignal): Promise<string> {
    for (let candidate = name; ; candidate = candidate.slice(candidate.indexOf('.') + 1)) {
      const { answer } = await this.#ask({ name: candidate, type: TYPES.SOA }, signal, [
        CODE.refused,
        CODE.notAuthorized,
      ]);
      const found = [...answer.answers, ...answer.authorities].find(
        (each) => each.type === TYPES.SOA && isBelow(name, each.name),
      );
      if (answer.isAuthoritative && found !== undefined) return found.name;
      if (!candidate.includes('.')) throw this.#notAuthoritative(name);
    }
  }

  async #serial(zone: string, signal: AbortSignal): Promise<number> {
    const { answer, message } = await this.#ask({ name: zone, type: TYPES.SOA }, signal);
    const soa = answer.answers.find((each) => each.type === TYPES.SOA);
    if (soa === undefined) throw this.#notAuthoritative(zone);
    // Five numbers end it, and the serial is the first of them.
    return message.readUInt32BE(soa.end - SERIAL_FROM_END);
  }

  /** @param others codes that are no failure, beside that there is no such name */
  async #ask(
    question: { name: string; type: number },
    signal: AbortSignal,
    others: readonly number[] = [],
  ): Promise<Exchanged> {
    const exchanged = await exchange(this.#settings, { opcode: OPCODE.QUERY, question }, signal);
    const { code } = exchanged.answer;
    if (code === CODE.done || code === CODE.noName || others.includes(code)) return exchanged;
    throw this.#refused(`a question about ${question.name}`, code);
  }

  #refused(what: string, code: number): HoldfastError {
    const { server, key } = this.#settings;
    const said = CODE_NAMES[code] ?? `code ${code}`;
    return new HoldfastError('target-failed', `the name server ${server} refused ${what}: ${said}`, {
      hint:
        key === undefined
          ? 'It may want updates to be signed: give the step a `key`.'
          : `See whether the key ${key.name} may update that name there.`,
      context: { server, code: said },
    });
  }

  #notAuthoritative(name: string): HoldfastError {
    return this.#unsuitable(
      `the name server ${this.#settings.server} has no zone with ${name} of its own`,
      "Let `server` name the zone's primary server.",
    );
  }

  #unsuitable(message: string, hint: string): HoldfastError {
    return new HoldfastError('target-unsuitable', message, { hint, context: { server: this.#settings.server } });
  }

  #changedMeanwhile(name: string): HoldfastError {
    return new HoldfastError('source-changed', `somebody else changed ${name} at the same moment`, {
      hint: 'See what it is now, and have the step done again.',
      retryable: true,
    });
  }

  #notTaken({ name, type }: DnsRecord, { values }: Held): HoldfastError {
    const now = values.length === 0 ? 'nothing' : values.join(', ');
    return new HoldfastError(
      'target-failed',
      `the name server ${this.#settings.server} took the update of ${name}, and still answers with ${now}`,
      {
        hint:
          type === 'CNAME'
            ? 'A name that has other records cannot be an alias: servers pass over such an update in silence.'
            : "See the name server's log.",
        context: { server: this.#settings.server },
      },
    );
  }
}

function isSo({ values, ttlSeconds }: Held, record: DnsRecord): boolean {
  const isValue = values.length === 1 && values[0] === plainValue(record.type, record.value);
  return isValue && ttlSeconds === record.ttlSeconds;
}

import type { AlertMessage } from '../../alert/index.ts';
import type { Pause } from '../../foundation/pause.ts';
import { settled } from '../../foundation/promises.ts';
import type { AlertNotified, AlertStand } from '../../ledger/index.ts';
import type { Plan } from '../../plan/index.ts';
import { type Delivery, notify } from '../notify/notify.ts';
import type { Recorder } from '../notify/recorder.ts';
import type { Wellbeing } from '../notify/wellbeing.ts';
import type { Workspace } from '../workspace.ts';
import { advance, type Gone, type NewAlertEvent } from './advance.ts';
import { alertOf } from './alert-view.ts';
import { AlertBook, standOf, withAdded } from './book.ts';
import { type Telling, tellingsNow } from './escalation.ts';
import type { Facts } from './facts/facts.ts';
import { FactsGatherer, type Watched } from './facts/gather.ts';
import { notAhead, type SeenAhead } from './not-ahead.ts';
import { AlertRecord, type AppendAlertEvent } from './record.ts';
import { conditionsNow, isUnknown } from './rules/index.ts';
import { wellbeingOf } from './wellbeing-of.ts';

export interface LookoutOptions extends Watched {
  /** Between attempts to deliver something. */
  pause: Pause;
  /** Where what happens to alerts is recorded. */
  append: AppendAlertEvent;
  /** Where somebody who gets an alert can acknowledge it, by its id; undefined without such a place. */
  acknowledgeUrl?(alert: string): string | undefined;
}

/** One that goes on where another one ended. */
export async function createLookout(workspace: Workspace, options: LookoutOptions): Promise<Lookout> {
  return new Lookout(workspace, options);
}

/** Looks for what is wrong, and sees that it is told. What it knows is in the ledger: another one goes on where it ended. */
export class Lookout {
  readonly #workspace: Workspace;
  readonly #plan: Plan;
  readonly #options: LookoutOptions;
  readonly #gatherer: FactsGatherer;
  readonly #record: AlertRecord;
  readonly #gone: Gone = new Map();
  readonly #seenAhead: SeenAhead = new Map();
  #book = new AlertBook();
  /**
   * What is on its way, by alert and channel, and in which batch. Nothing else is sent there of that alert meanwhile, so that
   * no news overtakes another; and a slow channel stops no other.
   */
  readonly #underWay = new Map<string, object>();
  readonly #sending = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];
  #seen: Wellbeing | undefined;

  constructor(workspace: Workspace, options: LookoutOptions) {
    this.#workspace = workspace;
    this.#plan = workspace.plan;
    this.#options = options;
    this.#gatherer = new FactsGatherer(workspace, options);
    this.#record = new AlertRecord(options.append, workspace.environment.clock);
  }

  /**
   * One look: what is wrong is raised, what is over is resolved, and who is to be told is being told when it resolves.
   * @param fresh whether something was done in a repository since the last look
   * @throws what kept something from being recorded, or told; all else was done all the same
   */
  async look({ fresh }: { fresh: boolean }): Promise<void> {
    // Somebody may have acknowledged what is open, which is told by the ledger alone.
    const facts = await this.#gatherer.gather({ fresh, isAwaiting: this.#book.open.length > 0 });
    this.#judge(facts);
    await this.#record.write();
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
  }

  /** What the last look found; undefined before the first. */
  get seen(): Wellbeing | undefined {
    return this.#seen;
  }

  #judge(facts: Facts): void {
    this.#book = AlertBook.of(withAdded(this.#gatherer.alertEvents(), this.#record.recent()));
    notAhead(this.#book.open, facts.nowMs, this.#seenAhead);
    const seen = {
      conditions: conditionsNow(facts),
      isUnknown: (alert: Parameters<typeof isUnknown>[0]) => isUnknown(alert, facts),
    };
    for (const event of advance(this.#plan, this.#book, seen, this.#gone, facts.nowMs)) {
      this.#book.apply(this.#record.add(event));
    }
    this.#tellAll(facts.nowMs);
    this.#seen = wellbeingOf(this.#book, facts.nowMs);
  }

  /** Whether nothing is wrong that is known, and nobody is watched who may be down at any moment. */
  get isQuiet(): boolean {
    return this.#book.open.length === 0 && !this.isSending && this.#plan.services.size + this.#plan.standbys.size === 0;
  }

  /** Whether something is on its way to a channel. */
  get isSending(): boolean {
    return this.#sending.size > 0;
  }

  /** Resolves when nothing is on its way to a channel, and all of it is recorded. @throws what keeps it from being recorded */
  async settled(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending);
    await this.#record.write();
  }

  #tellAll(nowMs: number): void {
    const tellings = tellingsNow(this.#plan, this.#book, nowMs).flatMap((telling): Telling[] => {
      const alerts = telling.alerts.filter((id) => !this.#underWay.has(wayOf(telling.channel, id)));
      return alerts.length === 0 ? [] : [{ ...telling, alerts }];
    });
    if (tellings.length === 0) return;
    const batch: Batch = new Map(
      tellings.flatMap(({ channel, alerts }) =>
        alerts.map((id) => [wayOf(channel, id), standOf(this.#book.get(id)!)] as const),
      ),
    );
    for (const way of batch.keys()) this.#underWay.set(way, batch);
    const deliveries = tellings.map((telling) => this.#deliveryOf(telling));
    const { pause } = this.#options;
    const sending: Promise<void> = notify(this.#workspace, deliveries, { pause, record: this.#recorder(batch) })
      // What cannot be written waits, and the next look says so if it still cannot.
      .then(() => settled(this.#record.write()))
      .catch((error: unknown) => {
        if (!this.#workspace.environment.signal.aborted) this.#failures.push(error);
      })
      .finally(() => {
        for (const way of batch.keys()) this.#arrived(batch, way);
        this.#sending.delete(sending);
      });
    this.#sending.add(sending);
  }

  #arrived(batch: Batch, way: string): void {
    if (this.#underWay.get(way) === batch) this.#underWay.delete(way);
  }

  /** What became of a delivery counts at once, whether the ledger can be had or not. */
  #recorder(batch: Batch): Recorder {
    return {
      append: async (kind, body) => {
        const event = { kind, body } as NewAlertEvent;
        if (event.kind === 'alert.notified') event.body = { ...event.body, ...knewIn(batch, event.body) };
        this.#book.apply(this.#record.add(event));
        if (event.kind !== 'alert.notified') return;
        const { channel, insteadOf, alerts } = event.body;
        if (insteadOf === undefined) for (const id of alerts) this.#arrived(batch, wayOf(channel, id));
        await this.#record.write();
      },
    };
  }

  #deliveryOf({ channel, news, alerts, reason }: Telling): Delivery {
    const booked = alerts.map((id) => this.#book.get(id)!);
    const urls = alerts.flatMap((id) => {
      const url = this.#options.acknowledgeUrl?.(id);
      return url === undefined ? [] : [[id, url] as const];
    });
    const message: AlertMessage = {
      ...{ kind: news, plan: this.#plan.name, reason },
      alerts: booked.map((each) => alertOf(this.#plan, each)),
      ...(urls.length > 0 && { acknowledgeUrls: Object.fromEntries(urls) }),
    };
    return { channel, message, fallsBack: !booked.every(({ told }) => told.get(channel)?.covered) };
  }
}

/** What is sent at once: by alert and channel, what the message knows of the alert. */
type Batch = ReadonlyMap<string, AlertStand>;

function knewIn(batch: Batch, { channel, insteadOf, alerts }: AlertNotified): Pick<AlertNotified, 'knew'> {
  const knew = alerts.map((id) => batch.get(wayOf(insteadOf ?? channel, id)));
  return knew.includes(undefined) ? {} : { knew: knew as AlertStand[] };
}

function wayOf(channel: string, alert: string): string {
  return JSON.stringify([alert, channel]);
}

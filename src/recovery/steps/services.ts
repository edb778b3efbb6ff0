/** The services that people use, as steps look at them. */
import { HoldfastError } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { advanceService, askService, type ServiceState } from '../../operations/index.ts';
import type { Service } from '../../plan/index.ts';
import type { AnyContext } from './any-context.ts';
import { describeValue, unavailableReferences } from './calls/references.ts';

/** In an incident nobody waits longer to ask again, however seldom a service is asked else. */
const LONGEST_PAUSE_MS = 5_000;

type Sample = Awaited<ReturnType<typeof askService>>;

/** @throws plan-invalid */
export function serviceOf({ workspace }: AnyContext, name: string): Service {
  const service = workspace.plan.services.get(name);
  if (service !== undefined) return service;
  throw new HoldfastError('plan-invalid', `the plan has no service ${JSON.stringify(name)}`, {
    hint: 'Name it under `services`.',
  });
}

/** One service, asked again and again. */
export class ServiceWatch {
  readonly service: Service;
  /** How often it was asked. */
  asked = 0;
  readonly #context: Pick<AnyContext, 'workspace' | 'signal'>;
  #failed = 0;
  #state: ServiceState | undefined;

  constructor(context: Pick<AnyContext, 'workspace' | 'signal'>, service: Service) {
    this.#context = context;
    this.service = service;
  }

  /** The share of good answers. */
  get share(): number {
    return this.asked === 0 ? 0 : (this.asked - this.#failed) / this.asked;
  }

  /** @throws secret-unavailable, watch-failed; the signal's reason */
  async ask(): Promise<{ sample: Sample; state: ServiceState }> {
    const { workspace, signal } = this.#context;
    const sample = await askService(this.service, workspace, signal);
    this.#state = advanceService(this.#state, sample, this.service.everyMs);
    this.asked++;
    if (sample.error !== undefined) this.#failed++;
    return { sample, state: this.#state };
  }

  /** Until it is time to ask again, and no longer than `mostMs`. @throws the signal's reason */
  async pause(mostMs = Number.POSITIVE_INFINITY): Promise<void> {
    const { signal } = this.#context;
    const pauseMs = Math.max(0, Math.min(this.service.everyMs, LONGEST_PAUSE_MS, mostMs));
    await pauseUntilAborted(signal)(pauseMs).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  }
}

export function serviceDown({ name }: Service, { failures, error }: ServiceState): HoldfastError {
  return new HoldfastError('service-down', `${name} is down: ${failures} failures in a row, the last since ${error}`, {
    hint: 'See why it does not answer well; `holdfast services` shows what was seen of it.',
    retryable: true,
    context: { service: name, failures },
  });
}

/** What would keep services from being asked. They are not asked beforehand. */
export async function serviceObstacles({ workspace }: AnyContext, services: readonly Service[]): Promise<string[]> {
  return unavailableReferences(
    workspace,
    services.map(({ http }) => http),
  );
}

export function serviceByHand({ http }: Service): string[] {
  return [`curl -sS -o /dev/null -w '%{http_code}\\n' ${describeValue(http)}`];
}

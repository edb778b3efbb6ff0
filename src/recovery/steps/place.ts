/** Where a step works: a URL with all that it takes to get in, or a directory. */
import { resolve } from 'node:path';
import { isUrl } from '../../foundation/target.ts';
import { withoutPassword, withPassword } from '../../foundation/url-password.ts';
import {
  namesInTemplate,
  resolveSecret,
  type SecretReference,
  type StepDocument,
  type TextOrReference,
} from '../../plan/index.ts';
import type { AnyContext } from './any-context.ts';

/** Where a key of a step leads to: a URL, or the absolute path of a directory. @throws as `wholeText` */
export async function placeOf(
  context: AnyContext,
  key: string,
  { place, password }: { place: TextOrReference; password: SecretReference | undefined },
): Promise<string> {
  const text = await wholeText(context, key, { text: place, password });
  return isUrl(text) ? text : resolve(context.workspace.plan.directory, text);
}

/**
 * What a key of a step stands for, with what is secret of it. What an earlier step found out has no password: where the key is
 * just `${ID.url}` or `${ID.target}`, and that step was given the same place by a reference, the reference is resolved again.
 * @param key under which it stands in the plan
 * @throws secret-unavailable, bad-usage
 */
export async function wholeText(
  context: AnyContext,
  key: string,
  { text: given, password }: { text: TextOrReference; password: SecretReference | undefined },
): Promise<string> {
  const { workspace, signal } = context;
  const references = { ...workspace.references, signal };
  const text = await resolveSecret(given, references);
  if (password !== undefined) return withPassword(text, await resolveSecret(password, references));
  if (typeof given !== 'string') return text;
  const behind = await secretBehind(context, key);
  return behind !== undefined && withoutPassword(behind) === text ? behind : text;
}

/** What the step that a key refers to was given by a reference. */
async function secretBehind(context: AnyContext, key: string): Promise<string | undefined> {
  const { workspace, run, step, signal } = context;
  const steps = run.steps.map(({ document }) => document);
  const written = steps.find(({ id }) => id === step.id) as Record<string, unknown> | undefined;
  const [name, ...others] = typeof written?.[key] === 'string' ? namesInTemplate(written[key]) : [];
  if (name === undefined || others.length > 0 || written?.[key] !== `\${${name}}`) return undefined;
  const [id, output] = name.split('.');
  const earlier = steps.find((each) => each.id === id);
  if (earlier === undefined || (output !== 'url' && output !== 'target')) return undefined;
  const given = givenPlace(context, earlier);
  if (given === undefined) return undefined;
  const references = { ...workspace.references, signal };
  const text = await resolveSecret(given.place, references);
  return given.password === undefined ? text : withPassword(text, await resolveSecret(given.password, references));
}

function givenPlace(
  { workspace }: AnyContext,
  step: StepDocument,
): { place: TextOrReference; password?: SecretReference | undefined } | undefined {
  if (step.do === 'restore') return { place: step.to, password: step.password };
  if (step.do === 'redis.promote') return { place: step.url };
  if (step.do !== 'postgres.promote') return undefined;
  const place = step.url ?? workspace.plan.standbys.get(step.standby)?.url;
  return place === undefined ? undefined : { place };
}

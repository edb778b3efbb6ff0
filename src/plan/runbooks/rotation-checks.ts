/** Rotations of credentials that cannot work, or that a restore undoes. Pure. */
import type { Finding } from '../problems.ts';
import type { Runbook } from './runbook-schema.ts';
import type { StepDocument } from './steps/index.ts';
import { namesInTemplate } from './template.ts';

/** What of a plan says which credentials a restore brings back. */
interface Restorable {
  sources: ReadonlyMap<string, { type: string }>;
  groups: ReadonlyMap<string, { sources: readonly string[] }>;
}

type Rotation = Extract<StepDocument, { do: 'credentials.rotate' }>;

/**
 * Nobody but the step knows a new password: each has a place where it goes. Who is named by a template is known when the step runs.
 * @param path of the step, or of what a drill does instead
 */
export function placeFindings(path: readonly PropertyKey[], { users = [], into }: Rotation): Finding[] {
  if (users.length > 0 && into === undefined && users.every((user) => namesInTemplate(user).length > 0)) {
    const message = 'says not where the new passwords go; expected a file or a secret for each user under "into"';
    return [{ path: [...path, 'users'], at: 'value', message }];
  }
  const places = Object.keys(into ?? {});
  const known = users.filter((user) => namesInTemplate(user).length === 0);
  const homeless = known.filter((user) => !places.includes(user));
  const strangers = known.length === users.length ? places.filter((user) => !users.includes(user)) : [];
  return [
    ...homeless.map(
      (user): Finding => ({
        path: [...path, into === undefined ? 'users' : 'into'],
        at: 'value',
        message: `says not where the new password of "${user}" goes; expected a file or a secret, as into: { ${user}: projects/…/secrets/… }`,
      }),
    ),
    ...strangers.map(
      (user): Finding => ({
        path: [...path, 'into', user],
        at: 'key',
        found: user,
        message: `"${user}" is none of "users", and gets no new password; expected it among them, or not here`,
      }),
    ),
  ];
}

/** A restore of what holds credentials brings the old ones back: those are rotated after it. */
export function rotationFindings(plan: Restorable, { name, steps }: Runbook): Finding[] {
  return steps.flatMap(({ id, document }, index): Finding[] => {
    if (document.do !== 'credentials.rotate') return [];
    const later = steps.slice(index + 1).filter(({ document: other }) => {
      if (other.do !== 'restore') return false;
      const restored =
        other.source === undefined ? (plan.groups.get(other.group ?? '')?.sources ?? []) : [other.source];
      const holdsSecrets = restored.some((source) => plan.sources.get(source)?.type === 'secrets');
      return (document.source !== undefined && restored.includes(document.source)) || holdsSecrets;
    });
    const restore = later[0];
    if (restore === undefined) return [];
    const isRotatedAgain = steps
      .slice(steps.indexOf(restore) + 1)
      .some(({ document: other }) => other.do === 'credentials.rotate' && other.source === document.source);
    if (isRotatedAgain) return [];
    const message = `rotates credentials that "${restore.id}" brings back; expected "${id}" after it`;
    return [{ path: ['runbooks', name, 'steps', index, 'do'], at: 'value', message }];
  });
}

/** Which steps of a runbook put another server in the place of a PostgreSQL source's. Pure. */

/** The source of a standby; undefined of one that the plan does not have any more, which may be of any. */
export type SourceOf = (standby: string) => string | undefined;

/** @param steps as the plan has them. @returns their ids */
export function promotionsFor(
  source: string,
  steps: readonly Readonly<Record<string, unknown>>[],
  sourceOf: SourceOf,
): string[] {
  return steps
    .filter((step) => step['do'] === 'postgres.promote' && (sourceOf(String(step['standby'])) ?? source) === source)
    .map(({ id }) => String(id));
}

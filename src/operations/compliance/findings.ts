/** What the events of a period carry of each control. Pure. */
import type { Framework } from '../../plan/index.ts';
import { CONTROLS, type Control } from './controls.ts';
import type { ComplianceFacts } from './facts.ts';
import type { Claim, Observed } from './observation.ts';

export interface Finding extends Pick<Control, 'framework' | 'control' | 'title' | 'asks'> {
  /**
   * `carried`: all that has to be shown is. `partly`: some of it. `not-carried`: nothing of it. `not-called-for`: there was no
   * occasion, so that nothing is claimed.
   */
  state: 'carried' | 'partly' | 'not-carried' | 'not-called-for';
  claims: Claim[];
  /** What adds to it, and is not enough by itself. */
  supporting: Claim[];
  missing: string[];
  remarks: string[];
  /** Why there was no occasion. */
  uncalled?: string;
}

export function findingsOf(facts: ComplianceFacts, frameworks: readonly Framework[]): Finding[] {
  return CONTROLS.filter(({ framework }) => frameworks.includes(framework)).map((control) => findingOf(facts, control));
}

function findingOf(facts: ComplianceFacts, control: Control): Finding {
  const { framework, title, asks, shownBy, supportedBy = [] } = control;
  const observed = shownBy.map((observe) => observe(facts));
  const others = supportedBy.map((observe) => observe(facts));
  const uncalled = [...new Set(observed.flatMap((each) => each.uncalled ?? []))];
  return {
    ...{ framework, control: control.control, title, asks, state: stateOf(observed) },
    claims: observed.flatMap(({ claims }) => claims),
    supporting: others.flatMap(({ claims }) => claims),
    missing: observed.flatMap(({ missing }) => missing),
    remarks: [...observed, ...others].flatMap(({ remarks = [] }) => remarks),
    ...(uncalled.length > 0 && { uncalled: uncalled.join('; ') }),
  };
}

function stateOf(observed: readonly Observed[]): Finding['state'] {
  const called = observed.filter(({ uncalled }) => uncalled === undefined);
  if (called.length === 0) return 'not-called-for';
  if (called.every(({ claims }) => claims.length === 0)) return 'not-carried';
  const isWhole = called.every(({ claims, missing }) => claims.length > 0 && missing.length === 0);
  return isWhole ? 'carried' : 'partly';
}

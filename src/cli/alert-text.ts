import { type Alert, recoveryBy } from '../alert/index.ts';
import { faint, oneLine, shownTime } from './text.ts';

/** What who is told of an alert needs to know beside what happened: a line each. */
export function describeMending({ id, since, endangers, command, runbooks }: Alert): string[] {
  return [
    oneLine`  since ${shownTime(since)}; endangers ${endangers}`,
    oneLine`  ${faint('mend')} ${command}`,
    ...runbooks.map((runbook) => oneLine`  ${faint('recover')} ${recoveryBy(runbook, id)}`),
  ];
}

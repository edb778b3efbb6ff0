/** A runbook that brings one source back, as it is written in a plan. */
export function runbookOf(source: string): string {
  const steps = [
    { id: 'point', do: 'recovery-point', source, choose: 'latest' },
    { id: 'restore', do: 'restore', source, at: '${point.time}', to: '${target}', within: '1h' },
    { id: 'verify', do: 'verify', sources: [source], against: '${restore.target}', restoresService: true },
  ];
  const scenario = `What is in ${source} is not what it should be`;
  return JSON.stringify({ scenario, objectives: { rto: '2h' }, params: { target: { required: true } }, steps });
}

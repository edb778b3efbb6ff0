import type { Plan, PlannedReport } from '../../plan/index.ts';

/** The reports of a plan by what their tasks are called: those of one kind are told apart by their place among them. Pure. */
export function reportsOfPlan({ reports }: Pick<Plan, 'reports'>): { name: string; report: PlannedReport }[] {
  return reports.map((report, index) => {
    const before = reports.slice(0, index).filter(({ kind }) => kind === report.kind).length;
    return { name: before === 0 ? report.kind : `${report.kind}-${before + 1}`, report };
  });
}

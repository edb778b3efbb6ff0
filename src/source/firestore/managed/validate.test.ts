import { describe, expect, it } from 'vitest';
import { EXPORT_FORMAT } from './details.ts';
import { exportChecks } from './validate.ts';

const counted = (users: number, documents = users + 2) => ({
  documents,
  collections: [
    { collection: 'companies', documents: 2 },
    ...(users > 0 ? [{ collection: 'users', documents: users }] : []),
  ],
});

const failuresOf = (isOneMoment: boolean, found: ReturnType<typeof counted>): string[] => {
  const details = { format: EXPORT_FORMAT, project: 'p', database: 'd', export: 'gs://b', isOneMoment } as const;
  const checks = exportChecks({ ...details, ...counted(3) }, found);
  return checks.filter(({ result }) => result === 'failed').map(({ name }) => name);
};

describe('the counts of an export', () => {
  it('are all exact where it is of one moment', () => {
    expect(failuresOf(true, counted(3))).toEqual([]);
    expect(failuresOf(true, counted(4, 5))).toEqual(['documents users']);
    expect(failuresOf(true, counted(2))).toEqual(['documents', 'documents users']);
  });

  it('are exact of all documents where it is not, and no collection has vanished', () => {
    expect(failuresOf(false, counted(4, 5))).toEqual([]);
    expect(failuresOf(false, counted(4))).toEqual(['documents']);
    expect(failuresOf(false, counted(0, 5))).toEqual(['documents users']);
  });
});

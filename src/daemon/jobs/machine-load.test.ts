import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isLoaded, type MachineState, machineState } from './machine-load.ts';

const IDLE: MachineState = { loadLastMinute: 0.1, processors: 4, availableBytes: 6e9, totalBytes: 8e9 };

describe('a machine', () => {
  it.each<[string, Partial<MachineState>, boolean]>([
    ['with little to do', {}, false],
    ['whose processors have two each at them', { loadLastMinute: 8 }, false],
    ['whose processors have more', { loadLastMinute: 8.1 }, true],
    ['of one processor with three at it', { processors: 1, loadLastMinute: 3 }, true],
    ['with a twentieth of its memory left', { availableBytes: 4e8 }, false],
    ['with less', { availableBytes: 3.9e8 }, true],
    ['whose container has little left of the little that it has', { availableBytes: 1e7, totalBytes: 5e8 }, true],
  ])('%s is loaded: %s', (_, state, loaded) => {
    expect(isLoaded({ ...IDLE, ...state })).toBe(loaded);
  });

  it('tells of itself', () => {
    const { loadLastMinute, processors, availableBytes, totalBytes } = machineState();
    expect(loadLastMinute).toBeGreaterThanOrEqual(0);
    expect(processors).toBeGreaterThanOrEqual(1);
    expect(totalBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeLessThanOrEqual(totalmem());
    expect(availableBytes).toBeGreaterThan(0);
    expect(availableBytes).toBeLessThanOrEqual(totalBytes);
  });
});

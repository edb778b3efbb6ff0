import { describe, expect, it } from 'vitest';
import { parseLocation } from '../location.ts';
import { standbySettings, withoutFence } from './standby-settings.ts';

const from = parseLocation(`postgres://me:it's%5Cit@new.example:5433/shop?sslmode=require&options=-c%20x%3Dy`);

describe('the settings of a server that becomes a standby', () => {
  it('are its own, without its fence and without what it followed before', () => {
    const own = [
      "session_preload_libraries = 'fenced_by_holdfast, auto_explain'",
      "primary_conninfo = 'host=old'",
      "recovery_target_time = 'x'",
      "work_mem = '8MB'",
    ].join('\n');
    expect(standbySettings(own, { from, slot: 'back' }).split('\n')).toEqual([
      "session_preload_libraries = 'auto_explain'",
      "work_mem = '8MB'",
      String.raw`primary_conninfo = 'host=''new.example'' port=''5433'' user=''me'' password=''it\\''s\\\\it'' application_name=''back'' sslmode=''require'''`,
      "primary_slot_name = 'back'",
      "recovery_target_timeline = 'latest'",
      '',
    ]);
  });

  it('lose the fence and nothing else', () => {
    expect(withoutFence("a = '1'\nsession_preload_libraries = 'fenced_by_holdfast'\n")).toBe("a = '1'\n");
    expect(withoutFence("session_preload_libraries = 'auto_explain'\n")).toBe(
      "session_preload_libraries = 'auto_explain'\n",
    );
  });
});

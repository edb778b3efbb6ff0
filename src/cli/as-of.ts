/** The option of commands that read a repository as it was. */
export const AS_OF = {
  flags: '--as-of <time>',
  description:
    'read the repository as its bucket had it at this time, past what was deleted or replaced since: 2026-01-31T14:03:06Z, or `2h ago`',
};

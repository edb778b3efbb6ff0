'use strict';

/**
 * Keeps Node's notes on experimental features, which mean nothing to a user, off standard error.
 *
 * The flag --disable-warning reaches worker threads too; this stands in where Holdfast was started without it.
 */
function hideExperimentalWarnings() {
  if (process.execArgv.includes('--disable-warning=ExperimentalWarning')) return;
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const type = typeof rest[0] === 'object' ? rest[0]?.type : rest[0];
    if (type !== 'ExperimentalWarning' && warning?.name !== 'ExperimentalWarning') emitWarning(warning, ...rest);
  };
}

module.exports = { hideExperimentalWarnings };

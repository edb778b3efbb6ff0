/** Steps that call something outside: programs and HTTP. */
import { z } from 'zod';
import { httpRequest, program, programEnvironment, programFiles, repeatable, stepSchema, template } from './common.ts';

const programOptions = {
  env: programEnvironment.optional(),
  files: programFiles.optional(),
  directory: template('a directory', "Where it runs; the plan's directory when left out.").optional(),
};

const programKeys = { exec: program, ...programOptions, repeatable };

const oneCall = { exec: program.optional(), ...programOptions, http: httpRequest.optional() };

export const calls = [
  stepSchema('exec', 'Runs a program.', programKeys),
  stepSchema('http', 'Sends a request.', { http: httpRequest, repeatable }),
  stepSchema('deploy', 'Deploys, by a program.', programKeys),
  stepSchema('keys.revoke', 'Has keys revoked, by a program or a request.', { ...oneCall, repeatable }),
  stepSchema('maintenance.on', 'Stops writes, as `maintenance` of the plan says.', {}),
  stepSchema('maintenance.off', 'Lets writes go on, as `maintenance` of the plan says.', {}),
] as const;

/** One way of turning maintenance on or off. */
export const maintenanceCall = z
  .strictObject(oneCall, { error: () => 'either { http: { url: …, method: PUT } } or { exec: [PROGRAM, ARGUMENT] }' })
  .superRefine(({ exec, http }, context) => {
    if ((exec === undefined) !== (http === undefined)) return;
    const message = 'expected either "exec" or "http"';
    context.addIssue({ code: 'custom', path: [], message, params: { message } });
  });

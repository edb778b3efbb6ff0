/** What a person has to write for Redis servers that refuse to write their configuration, and forget it with their end. */

/** Of one that was made a master. */
export function unwrittenMaster(host: string): string {
  return `${host} could not write its configuration (CONFIG REWRITE), and is again what its file says once it is started anew: take \`replicaof\` out of that`;
}

/** Of those that were made its replicas. */
export function unwrittenReplicas(hosts: readonly string[], master: string): string {
  return `${hosts.join(', ')} could not write its configuration (CONFIG REWRITE), and is again what its file says once it is started anew: put \`replicaof ${master.replace(/:(\d+)$/, ' $1')}\` into that, with \`masteruser\` and \`masterauth\` where the master asks for a login`;
}

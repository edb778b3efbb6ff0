import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { OnReadOpts, Socket } from 'node:net';

/** As much as a socket holds when answers come faster than they are read: what each read costs is then paid for more bytes. */
const ROOM_BYTES = 1024 * 1024;

/**
 * Agents whose connections all read into the same memory. Node takes new memory for every 64 KiB that come, which the
 * collector is late to give back: 100 MB and more; and reading what came takes two thirds more processor time.
 */
export function frugalAgents(options: { keepAlive: boolean; maxSockets: number }): {
  httpAgent: HttpAgent;
  httpsAgent: HttpsAgent;
} {
  const room = Buffer.allocUnsafeSlow(ROOM_BYTES);
  return {
    httpAgent: readingInto(room, new HttpAgent(options)),
    httpsAgent: readingInto(room, new HttpsAgent(options)),
  };
}

/** The memory is free again as soon as Node's parser has seen it: it copies what belongs to a body. */
function readingInto<Agent extends HttpAgent>(room: Buffer, agent: Agent): Agent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, ...done) => {
    const onread: OnReadOpts = {
      buffer: room,
      callback: (length, bytes) => {
        socket.emit('data', bytes.subarray(0, length));
        return true;
      },
    };
    const socket = connect({ ...options, onread } as typeof options, ...done) as Socket;
    return socket;
  };
  return agent;
}

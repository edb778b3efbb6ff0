import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { releaseBuffer } from '../../foundation/buffers.ts';

/**
 * Agents that give the memory back that bytes come in, once Node has read the answer out of it and copied what belongs to
 * its body. Left to the collector it is 100 MB and more, as fast as bytes come, and the collector is at work all the time.
 */
export function frugalAgents(options: { keepAlive: boolean; maxSockets: number }): {
  httpAgent: HttpAgent;
  httpsAgent: HttpsAgent;
} {
  return { httpAgent: frugal(new HttpAgent(options)), httpsAgent: frugal(new HttpsAgent(options)) };
}

function frugal<Agent extends HttpAgent>(agent: Agent): Agent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (...request) => {
    const socket = connect(...request);
    if (socket) releaseWhatIsRead(socket);
    return socket;
  };
  return agent;
}

function releaseWhatIsRead(socket: Duplex): void {
  const push = socket.push.bind(socket);
  socket.push = (chunk: Uint8Array | null, encoding) => {
    const goesOn = push(chunk, encoding);
    // Nothing waits to be read: whoever listens has had it. Memory of several chunks is nobody's to give back.
    const isRead = chunk !== null && socket.readableLength === 0;
    if (isRead && chunk.byteLength === chunk.buffer.byteLength) releaseBuffer(chunk);
    return goesOn;
  };
}

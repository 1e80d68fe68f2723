// What kafkajs does in the situations that src/kafka/corrections.ts is about. Run twice by corrections.test.ts: in a worker thread,
// where `kafkajs` is as it was published, and in the test's own thread, where it was corrected when it was loaded.
'use strict';
const { parentPort, workerData } = require('node:worker_threads');

/**
 * What a read_committed consumer of kafkajs is given: until it has `expected` values, or for `patience` ms after it joined
 * its group. `fetches` counts the requests in that time.
 */
async function consume({ bootstrap, topic, expected, patience = 20_000 }) {
  const { Kafka, logLevel } = require('kafkajs');
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, clientId: 'scenario' });
  const consumer = kafka.consumer({ groupId: `${topic}-${Math.random()}`, maxWaitTimeInMs: 100 });
  const values = [];
  let fetches = 0;
  consumer.on(consumer.events.REQUEST, ({ payload }) => {
    if (payload.apiName === 'Fetch') fetches++;
  });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { value } of batch.messages) values.push(value === null ? null : String(value).slice(0, 20));
    },
  });
  await joined;
  const end = Date.now() + patience;
  while (values.length < expected && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  await consumer.disconnect();
  return { values, fetches };
}

/**
 * How often a request queue wakes the process within 200 ms after its only request was answered, and how many timers it set
 * for a moment in the past (Node 24: TimeoutNegativeWarning).
 */
async function wakeUps() {
  const { setTimeout: original } = globalThis;
  let negative = 0;
  let scheduling = false;
  globalThis.setTimeout = (work, delay, ...rest) => {
    if (scheduling && delay < 0) negative++;
    return original(work, delay, ...rest);
  };
  const RequestQueue = require('kafkajs/src/network/requestQueue');
  const { createLogger } = require('kafkajs/src/loggers');
  const queue = new RequestQueue({
    maxInFlightRequests: null,
    requestTimeout: 1000,
    enforceRequestTimeout: false,
    clientId: 'scenario',
    broker: 'nowhere:1',
    logger: createLogger({ level: 0, logCreator: () => () => {} }),
  });
  let checks = 0;
  const check = queue.checkPendingRequests.bind(queue);
  queue.checkPendingRequests = () => {
    checks++;
    check();
  };
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    scheduling = true;
    schedule();
    scheduling = false;
  };
  await new Promise((resolve, reject) => {
    const entry = { apiKey: 3, apiName: 'Metadata', apiVersion: 5, correlationId: 1, resolve, reject };
    queue.push({ entry, expectResponse: true, requestTimeout: null, sendRequest: () => {} });
    queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 });
  });
  checks = 0;
  await new Promise((resolve) => setTimeout(resolve, 200));
  queue.destroy();
  globalThis.setTimeout = original;
  return { checks, negative };
}

/** Whether a request that was held back while the broker throttles is sent when the throttle ends. */
async function throttled() {
  const RequestQueue = require('kafkajs/src/network/requestQueue');
  const { createLogger } = require('kafkajs/src/loggers');
  const queue = new RequestQueue({
    maxInFlightRequests: null,
    requestTimeout: 1000,
    enforceRequestTimeout: false,
    clientId: 'scenario',
    broker: 'nowhere:1',
    logger: createLogger({ level: 0, logCreator: () => () => {} }),
  });
  queue.maybeThrottle(50);
  const sent = new Promise((resolve) => {
    const entry = { apiKey: 3, apiName: 'Metadata', apiVersion: 5, correlationId: 1, resolve() {}, reject() {} };
    queue.push({ entry, expectResponse: true, requestTimeout: null, sendRequest: () => resolve(true) });
  });
  const late = new Promise((resolve) => setTimeout(() => resolve(false), 5000).unref());
  const answer = { sent: await Promise.race([sent, late]) };
  queue.destroy();
  return answer;
}

const { connect, createServer } = require('node:net');

/**
 * At which of three attempts a producer can send whose first broker accepts connections and never answers: from the start, or
 * only after the producer has connected (`later`).
 */
async function silentBroker({ bootstrap, topic, later }) {
  const { Kafka, logLevel } = require('kafkajs');
  let silent = !later;
  const [host, port] = bootstrap.split(':');
  const front = createServer((socket) => {
    const behind = connect(Number(port), host);
    socket.on('data', (bytes) => silent || behind.write(bytes));
    behind.on('data', (bytes) => silent || socket.write(bytes));
    for (const one of [socket, behind]) one.on('error', () => {});
    socket.on('close', () => behind.destroy());
  });
  await new Promise((resolve) => front.listen(0, '127.0.0.1', resolve));
  const settings = { connectionTimeout: 300, requestTimeout: 300, retry: { retries: 4, initialRetryTime: 20 } };
  const brokers = [`127.0.0.1:${front.address().port}`, bootstrap];
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, clientId: 'scenario', ...settings });
  const producer = kafka.producer();
  try {
    await producer.connect();
    silent = true;
    for (let attempt = 1; ; attempt++) {
      try {
        await producer.send({ topic, messages: [{ value: 'v' }] });
        return { sent: attempt };
      } catch (error) {
        if (attempt === 3) throw error;
      }
    }
  } catch (error) {
    return { error: error.message };
  } finally {
    await producer.disconnect();
    front.close();
  }
}

/** How many messages the decoder of a Fetch answer's `records` field finds in these bytes. */
async function decode({ bytes }) {
  const Decoder = require('kafkajs/src/protocol/decoder');
  const decodeMessages = require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages');
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  try {
    return { messages: (await decodeMessages(new Decoder(Buffer.concat([size, bytes])))).length };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

const scenarios = { consume, decode, silentBroker, wakeUps, throttled };
module.exports = scenarios;

if (parentPort && workerData?.scenario) {
  scenarios[workerData.scenario](workerData.options ?? {}).then(
    (answer) => parentPort.postMessage({ answer }),
    (error) => parentPort.postMessage({ error: String(error?.stack ?? error) }),
  );
}

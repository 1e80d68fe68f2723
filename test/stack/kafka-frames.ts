// As much of Kafka's wire format as a proxy needs: frames, the api key and the correlation id of a request.
// https://kafka.apache.org/protocol: size INT32, then for a request api_key INT16, api_version INT16, correlation_id
// INT32, and for a response correlation_id INT32.

/** The api keys that tests name. */
export const API_KEYS = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  SyncGroup: 14,
  ApiVersions: 18,
  CreateTopics: 19,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
  DescribeConfigs: 32,
} as const;

export type ApiName = keyof typeof API_KEYS;

export function requestApiKey(frame: Buffer): number {
  return frame.readInt16BE(4);
}

export function requestCorrelationId(frame: Buffer): number {
  return frame.readInt32BE(8);
}

export function replyCorrelationId(frame: Buffer): number {
  return frame.readInt32BE(4);
}

/** A function that takes the bytes of a connection as they come and hands on whole frames, their size included. */
export function frameSplitter(onFrame: (frame: Buffer) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let length = 0;
  let wanted = 4;
  return (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    // Joined only when a frame is whole: a large one comes in hundreds of chunks.
    while (length >= wanted) {
      let bytes = chunks.length === 1 ? (chunks[0] ?? chunk) : Buffer.concat(chunks, length);
      wanted = bytes.readInt32BE(0) + 4;
      if (length >= wanted) {
        onFrame(bytes.subarray(0, wanted));
        bytes = bytes.subarray(wanted);
        wanted = bytes.length >= 4 ? bytes.readInt32BE(0) + 4 : 4;
      }
      chunks = [bytes];
      length = bytes.length;
    }
  };
}

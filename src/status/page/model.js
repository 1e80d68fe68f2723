// The fleet as this page knows it: what the server told first (fleet-state.ts, wire.ts) and every change since.

/** Makes the model of a state, as `GET api/state` answers it. */
export function createModel(state) {
  const servers = state.servers.map((server) => ({ ...server, jobs: [] }));
  const model = {
    epoch: state.epoch,
    seq: state.seq,
    ledger: state.ledger,
    actions: state.actions,
    problems: state.problems,
    servers: new Map(servers.map((server) => [server.name, server])),
    jobs: new Map(),
    fleet: state.fleet,
    byHand: new Map(state.byHand.map((run) => [run.job, run])),
  };
  for (const line of state.jobs) {
    const job = {
      ...line,
      servers: line.servers.map((place) => servers[place].name),
      runs: readColumns(line.runs, state, servers),
      pause: state.pauses[line.name],
      timing: state.timing[line.name],
      lags: state.lags[line.name],
    };
    model.jobs.set(job.name, job);
    for (const place of line.servers) servers[place].jobs.push(job);
  }
  return model;
}

function readColumns({ at, slots, outcomes, rows, ms, bytes, more }, { from, errors }, servers) {
  const runs = new Map();
  for (const [index, place] of at.entries()) {
    const rest = more[index];
    const server = servers[place].name;
    runs.set(server, {
      server,
      slot: slots[index] + from,
      outcome: outcomes[index],
      rows: rows[index],
      ms: ms[index],
      bytes: bytes[index],
      more: rest && { ...rest, error: errors[rest.error] },
    });
  }
  return runs;
}

/** A run as it comes in events and in a job's history. */
export function readRun([server, slot, outcome, rows, ms, bytes, more]) {
  return { server, slot, outcome, rows, ms, bytes, more };
}

/**
 * Takes in an event. Returns the runs that came with it, by job; undefined when it asks for a new state.
 */
export function applyEvent(model, name, data) {
  switch (name) {
    case 'runs':
      return data.seq > model.seq ? applyRuns(model, data) : {};
    case 'pause': {
      const job = model.jobs.get(data.job);
      if (job) job.pause = data.pause ?? undefined;
      return {};
    }
    case 'timing':
      for (const [job, timing] of Object.entries(data)) if (model.jobs.has(job)) model.jobs.get(job).timing = timing;
      return {};
    case 'fleet':
      model.fleet = data;
      return {};
    case 'lags':
      for (const job of model.jobs.values()) job.lags = data[job.name];
      return {};
    case 'by-hand':
      model.byHand.set(data.job, data);
      return {};
    case 'restart':
      return undefined;
    default:
      return {};
  }
}

function applyRuns(model, { runs, gone = [] }) {
  const came = {};
  for (const [name, tuples] of Object.entries(runs)) {
    const job = model.jobs.get(name);
    // Another replica knows a job that the state did not have.
    if (!job) return undefined;
    came[name] = tuples.map(readRun);
    for (const run of came[name]) {
      if (!job.known && !job.runs.has(run.server)) return undefined;
      job.runs.set(run.server, run);
    }
  }
  for (const [name, server] of gone) model.jobs.get(name)?.runs.delete(server);
  return came;
}

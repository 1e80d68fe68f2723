// Who runs what: the replicas as their heartbeats tell, the shards and their owners, and how far behind ingest jobs are.
import { h, keyed, scrollBox, setText, tableHead, withParts } from './dom.js';
import { fullNumber, plural } from './format.js';

export function createReplicasView() {
  const replicas = h('tbody', {});
  const shards = h('tbody', {});
  const lags = h('tbody', {});
  const none = h('p', { class: 'note' }, 'No replica is heard.');
  const lagPanel = panel(
    'lag',
    'Ingest lag, as this replica reads',
    table(
      'Ingest lag',
      [
        ['Job', ''],
        ['Partition', 'num'],
        ['Still to be read', 'num'],
      ],
      lags,
    ),
  );
  const element = h(
    'div',
    { class: 'replicas' },
    h('h1', {}, 'Replicas'),
    panel(
      'replicas',
      'Replicas',
      none,
      table(
        'Replicas',
        [
          ['Replica', ''],
          ['State', ''],
          ['Runs shards', ''],
        ],
        replicas,
      ),
    ),
    lagPanel,
    panel(
      'shards',
      'Shards',
      table(
        'Shards',
        [
          ['Shard', 'num'],
          ['Owner', ''],
          ['Here', ''],
        ],
        shards,
      ),
    ),
  );
  return {
    element,
    title: 'Replicas',
    update({ fleet, jobs }) {
      none.hidden = fleet.replicas.length > 0;
      keyed(
        replicas,
        fleet.replicas,
        ({ replica }) => replica,
        ({ replica }) => row(replica === fleet.self ? `${replica} (this one)` : replica, 2),
        ({ parts: { cells } }, { state, heard, shards: its }) => {
          setText(cells[0], heard ? `● ${state}` : '▲ silent');
          cells[0].className = heard ? 's-published' : 's-late';
          setText(cells[1], its.length === 0 ? 'none' : `${its.join(', ')} (${plural(its.length, 'shard')})`);
        },
      );
      keyed(
        shards,
        fleet.shards.map((shard, index) => ({ ...shard, index })),
        ({ index }) => index,
        ({ index }) => row(index, 2, 'num'),
        ({ parts: { cells } }, { owner, status }) => {
          setText(cells[0], owner ?? '▲ nobody');
          cells[0].className = owner ? '' : 's-late';
          setText(cells[1], status);
        },
      );
      const lines = [...jobs.values()].flatMap(({ name, lags: its }) =>
        Object.entries(its ?? {}).map(([partition, lag]) => ({ name, partition, lag })),
      );
      lagPanel.hidden = lines.length === 0;
      keyed(
        lags,
        lines,
        ({ name, partition }) => `${name} ${partition}`,
        ({ name }) => row(h('a', { href: `#/jobs/${encodeURIComponent(name)}` }, name), 2, '', 'num'),
        ({ parts: { cells } }, { partition, lag }) => {
          setText(cells[0], partition);
          setText(cells[1], fullNumber(lag));
        },
      );
    },
  };
}

function panel(id, title, ...children) {
  return h('section', { class: 'panel', 'aria-labelledby': id }, h('h2', { id }, title), ...children);
}

function table(label, columns, body) {
  return scrollBox(label, h('table', { class: 'runs' }, tableHead(columns), body));
}

function row(head, count, kind = '', cellKind = '') {
  const cells = Array.from({ length: count }, () => h('td', { class: cellKind }));
  return withParts(h('tr', {}, h('th', { scope: 'row', class: kind }, head), ...cells), { cells });
}

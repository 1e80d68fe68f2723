import { describe, expect, test } from 'vitest';
import { freshTopic } from '../stack/for-tests.ts';
import { type IngestProject, ingestProject, kafka, numbers, send } from './support.ts';

const job = (topic: string, onError: 'stop' | 'dead_letter', columns = '{n: "value::int", "offset": "\\"offset\\""}') =>
  `name: take\ningest:\n  topic: ${topic}\n  into: main\n  on_error: ${onError}\n  columns: ${columns}\n`;

const offsets = async (project: IngestProject): Promise<unknown[]> =>
  (await project.rows('select "offset"::int as o from main order by 1')).map(({ o }) => o);
const dead = async (project: IngestProject): Promise<unknown[]> =>
  (await project.rows('select "offset"::int as o from pgtally.dead_letters order by 1')).map(({ o }) => o);
const next = async (project: IngestProject): Promise<unknown[]> =>
  (await project.rows('select next::int as n from pgtally.offsets order by partition')).map(({ n }) => n);

/** Numbers, but for these places, where there is something else. */
function messages(count: number, poison: Readonly<Record<number, string>>): string[] {
  return numbers(0, count).map((text, index) => poison[index] ?? text);
}

describe('a message that cannot be a row', () => {
  test('stops its partition behind the last one before it, and no other partition', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const client = await kafka();
    const project = await ingestProject(job(topic, 'stop'));
    await project.rows('create table main (n int, "offset" bigint)');
    await send(client, topic, 0, messages(1000, { 617: 'no number', 800: 'nor this' }));
    await send(client, topic, 1, numbers(2000, 2010));
    const { rows, failures } = await project.run();
    expect(rows).toBe(627);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({
      kind: 'data',
      code: '22P02',
      message: `partition 0 of \`${topic}\` stops at offset 617: invalid input syntax for type integer: "no number"`,
    });
    expect(failures[0]?.hint).toContain('`pgtally ingest reset take --partition 0 --to 618`');
    expect(await next(project)).toEqual([617, 10]);
    // It stays there, and goes on when the table or the job was mended.
    expect((await project.run()).rows).toBe(0);
    project.rewrite(
      job(topic, 'stop', `{n: "case when value ~ '^[0-9]+$' then value::int end", "offset": "\\"offset\\""}`),
    );
    expect(await project.run()).toMatchObject({ rows: 383, failures: [] });
    expect(new Set(await offsets(project)).size).toBe(1000);
  });

  test('becomes a dead letter with its error, and the others rows, all in one', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic, 'dead_letter'));
    await project.rows('create table main (n int not null, "offset" bigint)');
    await send(client, topic, 0, [
      ...messages(500, { 0: 'first', 7: '99999999999', 8: 'next', 499: 'last' }),
      { key: 'tombstone', value: null },
      { value: Buffer.from([0xff, 0xfe]), headers: { h: 'v' } },
    ]);
    expect(await project.run()).toMatchObject({ rows: 496, dead: 6, failures: [] });
    expect(await next(project)).toEqual([502]);
    const letters = await project.rows(
      `select job, topic, partition, "offset"::int as o, sqlstate, error, envelope, "timestamp" > now() - interval '1 hour' as recent
       from pgtally.dead_letters order by 4`,
    );
    expect(letters.map(({ o, sqlstate, error }) => [o, sqlstate, error])).toEqual([
      [0, '22P02', 'invalid input syntax for type integer: "first"'],
      [7, '22003', 'value "99999999999" is out of range for type integer'],
      [8, '22P02', 'invalid input syntax for type integer: "next"'],
      [499, '22P02', 'invalid input syntax for type integer: "last"'],
      [500, '23502', expect.stringContaining('null value in column "n"')],
      [501, '22021', 'the value is no text: it is not UTF-8'],
    ]);
    expect(letters[5]).toMatchObject({ job: 'take', topic, partition: 0, recent: true });
    expect(letters[5]?.envelope).toMatchObject({ payload_base64: '//4=', headers: ['h', 'v'], offset: 501 });
    expect(await offsets(project)).toHaveLength(496);
  });

  test('is found among rows that only together break a constraint, one that is checked at the end as well', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic, 'dead_letter'));
    await project.rows(
      `create table main (n int, "offset" bigint, unique (n) deferrable initially deferred); insert into main values (50, -1)`,
    );
    await send(client, topic, 0, messages(100, { 20: '10', 21: '10', 99: '98' }));
    expect(await project.run()).toMatchObject({ rows: 96, dead: 4, failures: [] });
    expect(await dead(project)).toEqual([20, 21, 50, 99]);
    expect(await project.rows('select count(*)::int as n, count(distinct n)::int as d from main')).toEqual([
      { n: 97, d: 97 },
    ]);
  });

  test('in more than a hundred of a batch stops the partition with nothing of the batch written', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic, 'dead_letter'));
    await project.rows('create table main (n int, "offset" bigint)');
    await send(
      client,
      topic,
      0,
      numbers(0, 300).map((text, index) => (index % 2 === 0 ? 'bad' : text)),
    );
    const { rows, failures } = await project.run();
    expect(rows).toBe(0);
    expect(failures[0]?.message).toBe(
      `partition 0 of \`${topic}\` stops at offset 0: more than 100 messages before offset 300 cannot be rows; ` +
        'the first is 0: invalid input syntax for type integer: "bad"',
    );
    expect([await offsets(project), await dead(project), await next(project)]).toEqual([[], [], [0]]);
  });

  test('is not what another error is: a missing table or right stops the run without a dead letter', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic, 'dead_letter'));
    await send(client, topic, 0, numbers(0, 3));
    const { failures } = await project.run();
    expect(failures[0]).toMatchObject({ code: '42P01', kind: 'sql' });
    expect(await dead(project)).toEqual([]);
    await project.rows('create table main (n int, "offset" bigint, check (n <> 1))');
    project.rewrite(job(topic, 'dead_letter', '{n: "value::int", colour: "value"}'));
    const second = await project.run();
    expect(second.failures[0]).toMatchObject({ code: '42703' });
    expect(second.failures[0]).toHaveProperty('place.span');
    project.rewrite(job(topic, 'dead_letter'));
    expect(await project.run()).toMatchObject({ rows: 2, dead: 1, failures: [] });
  });

  test('does not hold up rows that a trigger puts elsewhere', async () => {
    const topic = await freshTopic();
    const client = await kafka();
    const project = await ingestProject(job(topic, 'stop'));
    await project.rows(`create table main (n int, "offset" bigint); create table elsewhere (like main);
      create function route() returns trigger language plpgsql as
        $$ begin insert into elsewhere values (new.*); return null; end $$;
      create trigger route before insert on main for each row execute function route()`);
    await send(client, topic, 0, numbers(0, 10));
    expect(await project.run()).toMatchObject({ rows: 10, failures: [] });
    expect(await project.run()).toMatchObject({ rows: 0, failures: [] });
    expect(await project.rows('select count(*)::int as n from elsewhere')).toEqual([{ n: 10 }]);
  });
});

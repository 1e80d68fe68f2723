import { describe, expect, it } from 'vitest';
import { JOB, jobMessages, messages } from './folder.ts';

// The exact text a person sees, for each way to get a file wrong.

describe('a job file with', () => {
  it('an unknown field', () => {
    expect(
      jobMessages(`${JOB}schedul: "*/10 * * * * *"
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:1: error: unknown field \`schedul\`
        schedul: "*/10 * * * * *"
        ^^^^^^^
      hint: did you mean \`schedule\`?

      1 error"
    `);
  });

  it('an unknown field unlike any other', () => {
    expect(
      jobMessages(`${JOB}flavour: vanilla
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:1: error: unknown field \`flavour\`
        flavour: vanilla
        ^^^^^^^
      hint: the fields here are: \`name\`, \`description\`, \`schedule\`, \`servers\`, \`query\`, \`topic\`, \`key\`, \`value\`, \`headers\`, \`timezone\`, \`timeout\`, \`retries\`, \`delay\`, \`null_key\`, \`overlap\`, \`catchup\`, \`catchup_window\`, \`splay\`, \`concurrency\`, \`delivery\`

      1 error"
    `);
  });

  it('a duplicate field', () => {
    expect(
      jobMessages(`topic: A
query: select 1
topic: B
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:1: error: duplicate field \`topic\`
        topic: B
        ^^^^^
      hint: the first one is in line 1; keep one of the two

      1 error"
    `);
  });

  it('missing fields', () => {
    expect(
      jobMessages(`description: nothing else
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: error: missing field \`query\`
        description: nothing else
        ^^^^^^^^^^^
      hint: a job needs a \`query\`, whose rows it publishes, or \`ingest\`, which reads a topic

      jobs/a.yaml:1:1: error: missing field \`topic\`
        description: nothing else
        ^^^^^^^^^^^
      hint: name the topic the rows go to: \`topic: AGGREGATIONS\`

      2 errors"
    `);
  });

  it('a list where a job should be', () => {
    expect(
      jobMessages(`- query: select 1
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: error: a job is a map of fields
        - query: select 1
        ^^^^^^^^^^^^^^^^^
      hint: begin with \`query: |\` and \`topic: …\`

      1 error"
    `);
  });

  it('a number where text is meant', () => {
    expect(
      jobMessages(`${JOB}description: 2027
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:14: error: \`description\` must be text, but YAML reads this as a number
        description: 2027
                     ^^^^
      hint: put it in quotes

      1 error"
    `);
  });

  it('a duration without a unit', () => {
    expect(
      jobMessages(`${JOB}timeout: 30
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:10: error: \`timeout\` must be a duration such as \`30s\`, not a number without a unit
        timeout: 30
                 ^^
      hint: add a unit: \`30s\`

      1 error"
    `);
  });

  it('a word that is no duration', () => {
    expect(
      jobMessages(`${JOB}delay: soon
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:8: error: \`delay\` must be a duration such as \`30s\`, not \`soon\`
        delay: soon
               ^^^^
      hint: the units are \`ms\`, \`s\`, \`m\`, \`h\` and \`d\`

      1 error"
    `);
  });

  it('a timeout above 14 minutes', () => {
    expect(
      jobMessages(`${JOB}timeout: 1h
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:10: error: \`timeout\` must be at most \`14m\`, not \`1h\`
        timeout: 1h
                 ^^

      1 error"
    `);
  });

  it('a word that is none of the choices', () => {
    expect(
      jobMessages(`${JOB}overlap: quue
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:10: error: \`overlap\` must be \`skip\` or \`queue\`, not \`quue\`
        overlap: quue
                 ^^^^
      hint: did you mean \`queue\`?

      1 error"
    `);
  });

  it('a number out of range and one that is not whole', () => {
    expect(
      jobMessages(`${JOB}retries: -1
concurrency: 1.5
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:10: error: \`retries\` must be a whole number from 0 to 1000, not \`-1\`
        retries: -1
                 ^^

      jobs/a.yaml:4:14: error: \`concurrency\` must be a whole number from 1 to 10000, not \`1.5\`
        concurrency: 1.5
                     ^^^

      2 errors"
    `);
  });

  it('a quoted number', () => {
    expect(
      jobMessages(`${JOB}retries: "5"
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:10: error: \`retries\` must be a whole number, but this is text
        retries: "5"
                 ^^^
      hint: remove the quotes

      1 error"
    `);
  });

  it('an unknown time zone', () => {
    expect(
      jobMessages(`${JOB}timezone: Europe/Berln
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:11: error: there is no time zone \`Europe/Berln\`
        timezone: Europe/Berln
                  ^^^^^^^^^^^^
      hint: did you mean \`Europe/Berlin\`?

      1 error"
    `);
  });

  it('a city in place of a time zone', () => {
    expect(
      jobMessages(`${JOB}timezone: tokyo
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:11: error: there is no time zone \`tokyo\`
        timezone: tokyo
                  ^^^^^
      hint: did you mean \`Asia/Tokyo\`?

      1 error"
    `);
  });

  it('an offset in place of a time zone', () => {
    expect(
      jobMessages(`${JOB}timezone: "+02:00"
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:11: error: there is no time zone \`+02:00\`
        timezone: "+02:00"
                  ^^^^^^^^
      hint: use a name of the tz database such as \`Europe/Berlin\` or \`UTC\`

      1 error"
    `);
  });

  it('a bad job name', () => {
    expect(
      jobMessages(`name: my job
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:7: error: \`my job\` is not a name: letters, digits, \`.\`, \`_\` and \`-\`, a letter or digit first
        name: my job
              ^^^^^^

      1 error"
    `);
  });

  it('a cron expression that YAML takes for an alias', () => {
    expect(
      jobMessages(`schedule: */10 * * * * *
query: select 1 as one
topic: T
retries: many
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:11: error: YAML takes a value that begins with \`*\` for an alias, and there is no anchor of this name
        schedule: */10 * * * * *
                  ^^^^^^^^^^^^^^
      hint: quote it: \`schedule: "*/10 * * * * *"\`

      jobs/a.yaml:4:10: error: \`retries\` must be a whole number, but this is text
        retries: many
                 ^^^^

      2 errors"
    `);
  });

  it('a cron expression that YAML takes for one whole alias', () => {
    expect(
      jobMessages(`schedule: *
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:11: error: YAML takes a value that begins with \`*\` for an alias, and there is no anchor of this name
        schedule: *
                  ^
      hint: quote it: \`schedule: "*"\`

      1 error"
    `);
  });

  it('a schedule with `@` and no quotes', () => {
    expect(
      jobMessages(`schedule: @hourly
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:11: error: a value cannot begin with \`@\` in YAML
        schedule: @hourly
                  ^
      hint: quote it: \`schedule: "@hourly"\`

      1 error"
    `);
  });

  it('SQL that ends in what YAML takes for a comment', () => {
    expect(
      jobMessages(`key: payload #>> '{id}'
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:14: error: YAML takes this for a comment, so it is not part of the value
        key: payload #>> '{id}'
                     ^^^^^^^^^^
      hint: quote all of it, \`"payload #>> '{id}'"\`, or just the value to keep the comment

      1 error"
    `);
  });

  it('a comment of one word that could be an operand', () => {
    expect(
      jobMessages(`key: flags # mask
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:12: error: YAML takes this for a comment, so it is not part of the value
        key: flags # mask
                   ^^^^^^
      hint: quote all of it, \`"flags # mask"\`, or just the value to keep the comment

      1 error"
    `);
  });

  it('SQL that begins with a quote and goes on after it', () => {
    expect(
      jobMessages(`key: 'P' || id
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:10: error: there is more text after the closing quote
        key: 'P' || id
                 ^^
      hint: a value that begins with a quote ends with it: put all of it into the other kind of quotes, or below a \`|\`

      1 error"
    `);
  });

  it('SQL that begins with a quoted name and goes on after it', () => {
    expect(
      jobMessages(`key: "id"::text
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:10: error: there is more text after the closing quote
        key: "id"::text
                 ^^^^^^
      hint: a value that begins with a quote ends with it: put all of it into the other kind of quotes, or below a \`|\`

      1 error"
    `);
  });

  it('SQL with a comma inside braces', () => {
    expect(
      jobMessages(`headers: {a: coalesce(x, y)}
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:28: error: \`y)\` in \`headers\` has no value
        headers: {a: coalesce(x, y)}
                                   ^
      hint: inside \`{…}\` a comma ends a value: put a value that has commas in quotes

      1 error"
    `);
  });

  it('numbers, booleans and nothing where SQL is meant', () => {
    expect(
      jobMessages(`key: 1
value: null
headers: {a: true, b: }
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:6: error: \`key\` must be SQL, but YAML reads this as a number
        key: 1
             ^
      hint: quote it: \`"1"\`

      jobs/a.yaml:2:8: error: \`value\` has no value: YAML reads \`null\` as nothing
        value: null
               ^^^^
      hint: remove the field, or quote it where SQL is meant: \`"null"\`

      jobs/a.yaml:3:14: error: \`a\` in \`headers\` must be SQL, but YAML reads this as \`true\`
        headers: {a: true, b: }
                     ^^^^
      hint: quote it: \`"true"\`

      jobs/a.yaml:3:23: error: \`b\` in \`headers\` has no value
        headers: {a: true, b: }
                              ^
      hint: inside \`{…}\` a comma ends a value: put a value that has commas in quotes

      4 errors"
    `);
  });

  it('a map where SQL is meant', () => {
    expect(
      jobMessages(`key: {id}
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:6: error: \`key\` must be SQL or a list, but this is a map
        key: {id}
             ^^^^
      hint: put SQL that begins with \`{\` in quotes

      1 error"
    `);
  });

  it('a colon and a space inside a line of SQL', () => {
    expect(
      jobMessages(`query: select 1 as a where b: c
topic: T
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:8: error: a second \`: \` in one line
        query: select 1 as a where b: c
               ^
      hint: quote it: \`query: "select 1 as a where b: c"\`

      1 error"
    `);
  });

  it('a field indented too far', () => {
    expect(
      jobMessages(`query: select 1
  topic: T
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:2:3: error: this line is indented more than the field above it
          topic: T
          ^^^^
      hint: fields of one map start in one column

      1 error"
    `);
  });

  it('a tab as indentation', () => {
    expect(
      jobMessages(`query: select 1
topic:
	name: T
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:1: error: a tab indents this line
            name: T
        ^^^^
      hint: YAML takes only spaces

      1 error"
    `);
  });

  it('a quote that is never closed', () => {
    expect(
      jobMessages(`topic: T
query: "select 1
timeout: 30s
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:2:8: error: this quote is never closed
        query: "select 1
               ^^^^^^^^^

      1 error"
    `);
  });

  it('a list that is never closed', () => {
    expect(
      jobMessages(`topic: T
key: [a, b
query: select 1
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:1: error: a \`]\` is missing before this
        query: select 1
        ^

      1 error"
    `);
  });

  it('an unknown escape', () => {
    expect(
      jobMessages(`${JOB}value: "a \\d b"
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:11: error: unknown escape in double quotes
        value: "a \\d b"
                  ^
      hint: write a backslash as \`\\\\\`, or use single quotes, which have no escapes

      1 error"
    `);
  });

  it('a tag', () => {
    expect(
      jobMessages(`${JOB}value: !x
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:8: error: YAML takes a value that begins with \`!\` for a tag, and there are none here
        value: !x
               ^^
      hint: put the whole value in quotes

      1 error"
    `);
  });

  it('a merge key', () => {
    expect(
      jobMessages(`<<: {timeout: 5s}
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: error: unknown field \`<<\`
        <<: {timeout: 5s}
        ^^
      hint: YAML 1.2 has no merge keys: write the fields out

      1 error"
    `);
  });

  it('a header that pgtally sets itself', () => {
    expect(
      jobMessages(`${JOB}headers: {pgtally-job: "'x'"}
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:11: error: \`pgtally-job\` is not a header name
        headers: {pgtally-job: "'x'"}
                  ^^^^^^^^^^^
      hint: header names hold no spaces, and those that begin with \`pgtally-\` are set by pgtally itself

      1 error"
    `);
  });

  it('a topic name Kafka refuses', () => {
    expect(
      jobMessages(`query: select 1
topic: my topic
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:2:8: error: \`my topic\` is not a topic name: letters, digits, \`.\`, \`_\` and \`-\`, at most 249
        topic: my topic
               ^^^^^^^^

      1 error"
    `);
  });

  it('an unknown setting of a topic', () => {
    expect(
      jobMessages(`query: select 1
topic: {name: T, partition: 3}
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:2:18: error: unknown field \`partition\` in \`topic\`
        topic: {name: T, partition: 3}
                         ^^^^^^^^^
      hint: did you mean \`partitions\`?

      1 error"
    `);
  });

  it('a job with both query and ingest', () => {
    expect(
      jobMessages(`query: select 1
servers: warehouse
ingest: {topic: T, into: t, columns: {a: value}}
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: error: \`query\` does not apply where \`ingest\` is given
        query: select 1
        ^^^^^
      hint: keep one of the two

      1 error"
    `);
  });

  it('fields of publishing in an ingest job', () => {
    expect(
      jobMessages(`servers: warehouse
ingest: {topic: T, into: t, columns: {a: value}}
splay: 5s
overlap: skip
headers: {a: b}
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:1: error: \`splay\` does not apply where \`ingest\` is given
        splay: 5s
        ^^^^^
      hint: remove it

      jobs/a.yaml:4:1: error: \`overlap\` does not apply where \`ingest\` is given
        overlap: skip
        ^^^^^^^
      hint: remove it

      jobs/a.yaml:5:1: error: \`headers\` does not apply where \`ingest\` is given
        headers: {a: b}
        ^^^^^^^
      hint: remove it

      3 errors"
    `);
  });

  it('a stream with a schedule and a limit', () => {
    expect(
      jobMessages(`servers: warehouse
stream: true
schedule: "@hourly"
catchup: all
ingest: {topic: T, into: t, columns: {a: value}, limit: 5}
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:11: error: \`schedule\` does not apply where \`stream\` is \`true\`
        schedule: "@hourly"
                  ^^^^^^^^^
      hint: a stream reads without end: remove the one or the other

      jobs/a.yaml:4:1: error: \`catchup\` does not apply where \`ingest\` is given
        catchup: all
        ^^^^^^^
      hint: remove it

      jobs/a.yaml:5:57: error: \`limit\` does not apply where \`stream\` is \`true\`
        ingest: {topic: T, into: t, columns: {a: value}, limit: 5}
                                                                ^
      hint: a stream reads without end: remove the one or the other

      3 errors"
    `);
  });

  it('stream in a job that publishes', () => {
    expect(
      jobMessages(`${JOB}stream: true
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:1: error: \`stream\` applies only where \`ingest\` is given
        stream: true
        ^^^^^^
      hint: remove it

      1 error"
    `);
  });

  it('an ingest job on several servers', () => {
    expect(
      jobMessages(`ingest: {topic: T, into: t, columns: {a: value}}
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: error: an ingest job needs exactly one server, but this is 2: \`shard-1\`, \`warehouse\`
        ingest: {topic: T, into: t, columns: {a: value}}
        ^^^^^^
      hint: name the one: \`servers: warehouse\`

      1 error"
    `);
  });

  it('a server that does not exist', () => {
    expect(
      jobMessages(`servers: shrad-1
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:10: error: no server matches \`shrad-1\`
        servers: shrad-1
                 ^^^^^^^
      hint: did you mean \`shard-1\`?

      1 error"
    `);
  });

  it('a glob that matches no server', () => {
    expect(
      jobMessages(`servers: [shard-*, edge-*]
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:20: error: no server matches \`edge-*\`
        servers: [shard-*, edge-*]
                           ^^^^^^
      hint: the servers are \`shard-1\`, \`warehouse\`

      1 error"
    `);
  });

  it('a label that no server has', () => {
    expect(
      jobMessages(`servers: {rol: shard}
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:11: error: no server has a label \`rol\`
        servers: {rol: shard}
                  ^^^
      hint: did you mean \`role\`?

      1 error"
    `);
  });

  it('a value that no label has', () => {
    expect(
      jobMessages(`servers: {role: shrd, region: [eus, asia]}
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:11: error: no server has the label \`role: shrd\`
        servers: {role: shrd, region: [eus, asia]}
                  ^^^^
      hint: the values of \`role\` are \`shard\`, \`warehouse\`

      jobs/a.yaml:1:23: error: no server has the label \`region: eus\` or \`region: asia\`
        servers: {role: shrd, region: [eus, asia]}
                              ^^^^^^
      hint: the values of \`region\` are \`eu\`, \`us\`

      2 errors"
    `);
  });

  it('labels that no one server has together', () => {
    expect(
      jobMessages(`servers: {role: shard, region: us}
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:11: error: no server has all of these labels
        servers: {role: shard, region: us}
                  ^^^^
      hint: each of \`role\`, \`region\` is on some server, but all of them on none

      1 error"
    `);
  });

  it('a colon in an alias-like value with a comment', () => {
    expect(
      jobMessages(`schedule: */5 * * * * # every five minutes
${JOB}`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:11: error: YAML takes a value that begins with \`*\` for an alias, and there is no anchor of this name
        schedule: */5 * * * * # every five minutes
                  ^^^^^^^^^^^
      hint: quote it: \`schedule: "*/5 * * * *"\`

      1 error"
    `);
  });

  it('SQL whose comment is prose', () => {
    expect(
      jobMessages(`key: id # the tenant's id
${JOB}`),
    ).toMatchInlineSnapshot(`""`);
  });

  it('several jobs in a file without names', () => {
    expect(
      jobMessages(`${JOB}---
query: select 1 as one
topic: T
`),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: error: missing field \`name\`
        query: select 1 as one
        ^^^^^
      hint: in a file with several jobs each has its own name

      jobs/a.yaml:4:1: error: missing field \`name\`
        query: select 1 as one
        ^^^^^
      hint: in a file with several jobs each has its own name

      2 errors"
    `);
  });
});

describe('a project with', () => {
  it('two jobs of one name', () => {
    expect(
      messages({
        'jobs/a.yaml': `name: counts
${JOB}`,
        'jobs/b.yaml': `name: counts
${JOB}`,
      }),
    ).toMatchInlineSnapshot(`
      "jobs/b.yaml:1:7: error: two jobs are named \`counts\`
        name: counts
              ^^^^^^
      hint: the other one is at jobs/a.yaml:1:7

      1 error"
    `);
  });

  it('a file name that is no job name', () => {
    expect(messages({ 'jobs/my job.yaml': JOB })).toMatchInlineSnapshot(`
      "jobs/my job.yaml:1:1: error: the file's name \`my job\` is not a name: letters, digits, \`.\`, \`_\` and \`-\`, a letter or digit first
        query: select 1 as one
        ^^^^^
      hint: give the job a \`name\`

      1 error"
    `);
  });

  it('problems of several files and documents', () => {
    expect(
      messages({
        'jobs/a.yaml': `name: a
query: select 1
---
name: b
query: [1
---
name: c
topic: T
query: select 1
timeout: 5
`,
        'jobs/b.yaml': `${JOB}x: 1
`,
      }),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: error: missing field \`topic\`
        name: a
        ^^^^
      hint: name the topic the rows go to: \`topic: AGGREGATIONS\`

      jobs/a.yaml:6:1: error: a \`]\` is missing before this
        ---
        ^

      jobs/a.yaml:10:10: error: \`timeout\` must be a duration such as \`30s\`, not a number without a unit
        timeout: 5
                 ^
      hint: add a unit: \`5s\`

      jobs/b.yaml:3:1: error: unknown field \`x\`
        x: 1
        ^
      hint: the fields here are: \`name\`, \`description\`, \`schedule\`, \`servers\`, \`query\`, \`topic\`, \`key\`, \`value\`, \`headers\`, \`timezone\`, \`timeout\`, \`retries\`, \`delay\`, \`null_key\`, \`overlap\`, \`catchup\`, \`catchup_window\`, \`splay\`, \`concurrency\`, \`delivery\`

      4 errors"
    `);
  });

  it('a job file without jobs', () => {
    expect(
      messages({
        'jobs/a.yaml': `# nothing yet
`,
      }),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: warning: this file holds no job
        # nothing yet
        ^

      1 warning"
    `);
  });

  it('no job files', () => {
    expect(messages({})).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      1 warning"
    `);
  });

  it('a job file that is not there', () => {
    expect(
      messages({
        'pgtally.yaml': `jobs: jobs/a.yaml
kafka: {brokers: [localhost:9092]}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml:1:7: error: there is no job file \`jobs/a.yaml\`
        jobs: jobs/a.yaml
              ^^^^^^^^^^^

      1 error"
    `);
  });

  it('an empty pgtally.yaml', () => {
    expect(
      messages({
        'pgtally.yaml': `# nothing
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml:1:1: error: this file is empty
        # nothing
        ^
      hint: give it at least \`kafka: {brokers: [localhost:9092]}\`

      pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      1 error, 1 warning"
    `);
  });

  it('a pgtally.yaml without Kafka', () => {
    expect(
      messages({
        'pgtally.yaml': `servers: []
`,
        'jobs/a.yaml': JOB,
      }),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:1:1: error: there is no server to run on
        query: select 1 as one
        ^^^^^
      hint: list servers under \`servers\` in pgtally.yaml

      pgtally.yaml:1:1: error: missing field \`kafka\`
        servers: []
        ^^^^^^^
      hint: for example \`kafka: {brokers: [localhost:9092]}\`

      2 errors"
    `);
  });

  it('a field at the wrong level', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
timezone: UTC
brokers: [a:1]
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:2:1: error: unknown field \`timezone\`
        timezone: UTC
        ^^^^^^^^
      hint: \`timezone\` belongs under \`defaults\`

      pgtally.yaml:3:1: error: unknown field \`brokers\`
        brokers: [a:1]
        ^^^^^^^
      hint: \`brokers\` belongs under \`kafka\`

      2 errors, 1 warning"
    `);
  });

  it('brokers without a port, and with a wrong one', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost, "b:99999", "c:9092,d"]}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:1:19: error: \`localhost\` is not \`host:port\`
        kafka: {brokers: [localhost, "b:99999", "c:9092,d"]}
                          ^^^^^^^^^
      hint: add the port: \`localhost:9092\`

      pgtally.yaml:1:30: error: \`b:99999\` has no valid port: it must be 1 to 65535
        kafka: {brokers: [localhost, "b:99999", "c:9092,d"]}
                                     ^^^^^^^^^

      pgtally.yaml:1:41: error: \`d\` is not \`host:port\`
        kafka: {brokers: [localhost, "b:99999", "c:9092,d"]}
                                                ^^^^^^^^^^
      hint: add the port: \`d:9092\`

      3 errors, 1 warning"
    `);
  });

  it('one broker that is not a list', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: localhost:9092}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:1:18: error: \`brokers\` must be a list, but this is text
        kafka: {brokers: localhost:9092}
                         ^^^^^^^^^^^^^^
      hint: write it as \`[a, b]\`, or one \`- item\` a line

      1 error, 1 warning"
    `);
  });

  it('a missing variable', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - name: a
    url: postgres://u@\${HOST}/\${DB:-app}
    password: "x\${PW}y"
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:4:23: error: the variable \`HOST\` is not set
            url: postgres://****@\${HOST}/\${DB:-app}
                                 ^^^^^^^
      hint: set it, or give it a default: \`\${HOST:-…}\`

      pgtally.yaml:5:17: error: the variable \`PW\` is not set
            password: ****
                      ^^^^
      hint: set it, or give it a default: \`\${PW:-…}\`

      2 errors, 1 warning"
    `);
  });

  it('text that looks like a variable', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - name: a
    url: postgres://u@h/app
    labels: {x: "\${1}"}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:5:18: error: this is not a variable
            labels: {x: "\${1}"}
                         ^^^^
      hint: a variable is \`\${NAME}\` or \`\${NAME:-default}\`; put text that holds \`\${\` into a variable itself

      1 error, 1 warning"
    `);
  });

  it('two servers of one name', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: a, url: postgres://u@h/x}
  - include: servers/*.yaml
`,
        'servers/s.yaml': `- {name: a, url: postgres://u@h/y}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      servers/s.yaml:1:10: error: two servers are named \`a\`
        - {name: a, url: postgres://****@h/y}
                 ^
      hint: the other one is at pgtally.yaml:3:12

      1 error, 1 warning"
    `);
  });

  it('a server file that is no list', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - include: servers/*.yaml
  - include: more/*.yaml
`,
        'servers/s.yaml': `name: a
url: postgres://u@h/y
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:4:14: warning: no file matches \`more/*.yaml\`
          - include: more/*.yaml
                     ^^^^^^^^^^^
      hint: the path starts at the folder of pgtally.yaml

      servers/s.yaml:1:1: error: a server file is a list of servers
        name: a
        ^^^^^^^
      hint: begin each with \`- name: …\`

      1 error, 2 warnings"
    `);
  });

  it('an include with other fields', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - include: servers/*.yaml
    labels: {a: b}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:14: warning: no file matches \`servers/*.yaml\`
          - include: servers/*.yaml
                     ^^^^^^^^^^^^^^
      hint: the path starts at the folder of pgtally.yaml

      pgtally.yaml:4:5: error: \`labels\` does not apply where \`include\` is given
            labels: {a: ****}
            ^^^^^^
      hint: remove it

      1 error, 2 warnings"
    `);
  });

  it('a url that is none', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: a, url: "host=h password=hunter2"}
  - {name: b, url: mysql://u:hunter2@h/d}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:20: error: \`url\` must begin with \`postgres://\`
          - {name: a, url: ****}
                           ^^^^
      hint: for example \`postgres://pgtally@10.0.0.1:5432/app\`

      pgtally.yaml:4:20: error: \`url\` must begin with \`postgres://\`
          - {name: b, url: ****@h/d}
                           ^^^^^^^^
      hint: for example \`postgres://pgtally@10.0.0.1:5432/app\`

      2 errors, 1 warning"
    `);
  });

  it('a url with a password that is not encoded', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - name: a
    url: postgres://u:hunter/2@h/app
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:4:10: error: the host and port in \`url\` cannot be read
            url: postgres://****@h/app
                 ^^^^^^^^^^^^^^^^^^^^^
      hint: percent-encode special characters of a password, or better: give it as \`password:\`

      1 error, 1 warning"
    `);
  });

  it('a url without a user, a host, a database', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: a, url: postgres://h/d}
  - {name: b, url: "postgres://u@/d"}
  - {name: c, url: postgres://u@h}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:20: error: \`url\` names no user
          - {name: a, url: ****}
                           ^^^^
      hint: for example \`postgres://pgtally@10.0.0.1:5432/app\`

      pgtally.yaml:4:20: error: \`url\` names no host
          - {name: b, url: "postgres://****@/d"}
                           ^^^^^^^^^^^^^^^^^^^^
      hint: for example \`postgres://pgtally@10.0.0.1:5432/app\`

      pgtally.yaml:5:20: error: \`url\` names no database
          - {name: c, url: postgres://****@h}
                           ^^^^^^^^^^^^^^^^^
      hint: end it with \`/app\`, or list \`databases\`

      3 errors, 1 warning"
    `);
  });

  it('unknown parameters of a url', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: a, url: "postgres://u@h/d?sslmod=require"}
  - {name: b, url: "postgres://u@h/d?connect_timeout=3"}
  - {name: c, url: "postgres://u@h/d?password=hunter2"}
  - {name: d, url: "postgres://u@h/d?sslmode=always"}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:20: error: \`url\` has the parameter \`sslmod\`, which pgtally does not know
          - {name: a, url: "postgres://****@h/d?sslmod=require"}
                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: did you mean \`sslmode\`?

      pgtally.yaml:4:20: error: \`url\` has the parameter \`connect_timeout\`, which pgtally does not know
          - {name: b, url: "postgres://****@h/d?connect_timeout=3"}
                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: a connection is always given 10 seconds

      pgtally.yaml:5:20: error: \`url\` holds a password as a parameter
          - {name: c, url: "postgres://****@h/d?password=****"}
                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: give it as \`password:\`

      pgtally.yaml:6:20: error: \`sslmode\` in \`url\` must be one of libpq's modes
          - {name: d, url: "postgres://****@h/d?sslmode=always"}
                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: the modes are: \`disable\`, \`prefer\`, \`require\`, \`verify-ca\`, \`verify-full\`

      4 errors, 1 warning"
    `);
  });

  it('an address that does not exist in a range', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - name: edge-{n}
    for: {n: 254..300}
    url: postgres://u@10.0.0.{n}/app
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:5:10: error: \`url\` names the address \`10.0.0.256\`, which does not exist (of \`edge-256\`)
            url: postgres://****@10.0.0.{n}/app
                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

      1 error, 1 warning"
    `);
  });

  it('ranges that are wrong', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: "a-{n}", for: {n: 5..1}, url: postgres://u@h/d}
  - {name: "b-{n}", for: {n: 1-5}, url: postgres://u@h/d}
  - {name: "c-{n}", for: {n: 1..5, m: 1..5}, url: postgres://u@h/d}
  - {name: "d-{x}", for: {n: 1..5}, url: "postgres://u@h{n}/d"}
  - {name: "e-{n}", url: postgres://u@h/d}
  - {name: "f-{n}", for: {n: 1..999999}, url: postgres://u@h/d}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:30: error: the range \`5..1\` runs backwards
          - {name: "a-{n}", for: {n: 5..1}, url: postgres://****@h/d}
                                     ^^^^
      hint: write \`1..5\`

      pgtally.yaml:4:30: error: \`1-5\` is not a range such as \`1..200\` or \`001..200\`
          - {name: "b-{n}", for: {n: 1-5}, url: postgres://****@h/d}
                                     ^^^

      pgtally.yaml:5:36: error: \`name\` lacks \`{m}\`, so several servers would have one name
          - {name: "c-{n}", for: {n: 1..5, m: 1..5}, url: postgres://****@h/d}
                                           ^

      pgtally.yaml:6:12: error: \`{x}\` is no variable of \`for\`
          - {name: "d-{x}", for: {n: 1..5}, url: "postgres://****@h{n}/d"}
                   ^^^^^^^
      hint: \`for\` has \`{n}\`

      pgtally.yaml:6:27: error: \`name\` lacks \`{n}\`, so several servers would have one name
          - {name: "d-{x}", for: {n: 1..5}, url: "postgres://****@h{n}/d"}
                                  ^

      pgtally.yaml:7:12: error: \`{n}\` is no variable of \`for\`
          - {name: "e-{n}", url: postgres://****@h/d}
                   ^^^^^^^
      hint: give it a range: \`for: {n: 1..200}\`

      pgtally.yaml:8:26: error: \`for\` makes 999999 servers, more than 20000
          - {name: "f-{n}", for: {n: 1..999999}, url: postgres://****@h/d}
                                 ^^^^^^^^^^^^^^

      7 errors, 1 warning"
    `);
  });

  it('a password in a url', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - name: a
    url: postgres://u:hunter2@h/app # and a comment
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:4:10: warning: \`url\` holds a password
            url: postgres://****@h/app # and a comment
                 ^^^^^^^^^^^^^^^^^^^^^
      hint: give it as \`password: \${NAME}\` or \`password_file\`, which keep it out of the file

      2 warnings"
    `);
  });

  it('two passwords', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: a, url: postgres://u@h/d, password: hunter2, passfile: p}
  - name: b
    url: postgres://u:hunter2@h/d
    password: hunter2
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:67: error: \`password\` and \`passfile\` are both given
          - {name: a, url: postgres://****@h/d, password: ****, passfile: p}
                                                                          ^
      hint: keep one of the two

      pgtally.yaml:5:10: error: \`url\` holds a password, and \`password\` is given too
            url: postgres://****@h/d
                 ^^^^^^^^^^^^^^^^^^^
      hint: remove the one in \`url\`

      2 errors, 1 warning"
    `);
  });

  it('TLS settings that contradict each other', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: a, url: "postgres://u@h/d?sslmode=require", tls: {mode: verify-full, cert: c}}
  - {name: b, url: postgres://u@h/d, tls: {cert: c}}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:68: error: \`mode\` is \`verify-full\`, but \`sslmode\` in \`url\` is \`require\`
          - {name: a, url: "postgres://****@h/d?sslmode=require", tls: {mode: verify-full, cert: c}}
                                                                              ^^^^^^^^^^^
      hint: keep one of the two

      pgtally.yaml:4:43: error: there is a TLS \`cert\` without a \`key\`
          - {name: b, url: postgres://****@h/d, tls: {cert: c}}
                                                     ^^^^^^^^^
      hint: a certificate and its private key go together

      2 errors, 1 warning"
    `);
  });

  it('an unknown field beside a password', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: a, url: postgres://u@h/d, password: hunter2, lables: {a: b}}
  - name: b
    url: postgres://u@h/d
    pasword: hunter2
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:57: error: unknown field \`lables\` in an item of \`servers\`
          - {name: a, url: postgres://****@h/d, password: ****, lables: {a: ****}}
                                                                ^^^^^^
      hint: did you mean \`labels\`?

      pgtally.yaml:6:5: error: unknown field \`pasword\` in an item of \`servers\`
            pasword: ****
            ^^^^^^^
      hint: did you mean \`password\`?

      2 errors, 1 warning"
    `);
  });

  it('a password that is no YAML', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - name: a
    url: postgres://u@h/d
    password: *hunter2
  - name: b
    url: postgres://u@h/d
    password: @hunter2
  - name: c
    url: postgres://u@h/d
    password: "hun\\ter\\q2"
  - name: d
    url: postgres://u@h/d
    password: !hunter2
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:5:15: error: YAML takes a value that begins with \`*\` for an alias, and there is no anchor of this name
            password: ****
                      ^^^^
      hint: put the whole value in quotes

      pgtally.yaml:8:15: error: a value cannot begin with \`@\` in YAML
            password: ****
                      ^^^^
      hint: put the whole value in quotes

      pgtally.yaml:11:23: error: unknown escape in double quotes
            password: ****
                      ^^^^
      hint: write a backslash as \`\\\\\`, or use single quotes, which have no escapes

      pgtally.yaml:14:15: error: YAML takes a value that begins with \`!\` for a tag, and there are none here
            password: ****
                      ^^^^
      hint: put the whole value in quotes

      4 errors, 1 warning"
    `);
  });

  it('half a password after a comma', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - {name: a, url: postgres://u@h/d, password: hun,ter2}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:52: error: YAML takes what follows the comma for a field
          - {name: a, url: postgres://****@h/d, password: ****}
                                                          ^^^^
      hint: inside \`{…}\` put a password that has a comma in quotes

      1 error, 1 warning"
    `);
  });

  it('SASL without any password', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka:
  brokers: [localhost:9092]
  sasl: {mechanism: plain, username: u}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:9: error: \`sasl\` has no password
          sasl: {mechanism: plain, username: u}
                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: give it \`password\` or \`password_file\`

      1 error, 1 warning"
    `);
  });

  it('a buffer larger than memory', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
limits: {memory: 8 MB, buffer: 1 GiB}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:2:32: error: \`buffer\` is larger than \`memory\`
        limits: {memory: 8 MB, buffer: 1 GiB}
                                       ^^^^^
      hint: one result must fit into the memory of all

      1 error, 1 warning"
    `);
  });

  it('a password that is a number', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers:
  - name: a
    url: postgres://u@h/d
    password: 20272027
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:5:15: error: \`password\` must be text, but YAML reads this as a number
            password: ****
                      ^^^^
      hint: put it in quotes

      1 error, 1 warning"
    `);
  });

  it('a page for other machines without a token', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
status: {listen: 0.0.0.0:8087, token: "\${TOKEN:-}"}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:2:18: error: \`0.0.0.0:8087\` is reached from other machines, and there is no \`token\`
        status: {listen: 0.0.0.0:8087, token: ****}
                         ^^^^^^^^^^^^
      hint: listen on \`127.0.0.1\`, or set \`token\`, without which nobody may see the page from elsewhere

      1 error, 1 warning"
    `);
  });

  it('SASL without a password', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka:
  brokers: [localhost:9092]
  sasl: {mechanism: scram-sha-1, username: u}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:3:21: error: \`mechanism\` must be \`plain\`, \`scram-sha-256\` or \`scram-sha-512\`, not \`scram-sha-1\`
          sasl: {mechanism: scram-sha-1, username: u}
                            ^^^^^^^^^^^
      hint: did you mean \`scram-sha-512\`?

      1 error, 1 warning"
    `);
  });

  it('limits that cannot be', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
limits: {memory: 8 MB, buffer: 1 GiB, connections: many, keep: 60, stop_grace: 11s}
status: {max_failed_servers: 10}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:2:52: error: \`connections\` must be a whole number, but this is text
        limits: {memory: 8 MB, buffer: 1 GiB, connections: many, keep: 60, stop_grace: 11s}
                                                           ^^^^

      pgtally.yaml:2:64: error: \`keep\` must be a duration such as \`30s\`, not a number without a unit
        limits: {memory: 8 MB, buffer: 1 GiB, connections: many, keep: 60, stop_grace: 11s}
                                                                       ^^
      hint: add a unit: \`60s\`

      pgtally.yaml:2:80: error: \`stop_grace\` must be at most \`10s\`, not \`11s\`
        limits: {memory: 8 MB, buffer: 1 GiB, connections: many, keep: 60, stop_grace: 11s}
                                                                                       ^^^

      pgtally.yaml:3:30: error: \`max_failed_servers\` must be a percentage from \`0%\` to \`100%\`, not \`10\`
        status: {max_failed_servers: 10}
                                     ^^

      4 errors, 1 warning"
    `);
  });

  it('`yes` for a boolean', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092], tls: yes}
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:1:41: error: \`tls\` must be \`true\` or \`false\`, not \`yes\`
        kafka: {brokers: [localhost:9092], tls: yes}
                                                ^^^
      hint: YAML 1.2 has only \`true\` and \`false\`

      1 error, 1 warning"
    `);
  });

  it('fields without a value', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
defaults:
ledger: ~
`,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml: warning: no job file matches \`jobs/*.yaml\`
      hint: put jobs there, or name other files under \`jobs\`

      pgtally.yaml:2:10: error: \`defaults\` has no value
        defaults:
                 ^
      hint: give it one, or remove the field

      pgtally.yaml:3:9: error: \`ledger\` has no value: YAML reads \`~\` as nothing
        ledger: ~
                ^
      hint: remove the field, or quote it where text is meant

      2 errors, 1 warning"
    `);
  });

  it('a wrong default', () => {
    expect(
      messages({
        'pgtally.yaml': `kafka: {brokers: [localhost:9092]}
servers: [{name: a, url: postgres://u@h/d}]
defaults: {timezone: Mars/Olympus, topic: T}
`,
        'jobs/a.yaml': JOB,
      }),
    ).toMatchInlineSnapshot(`
      "pgtally.yaml:3:22: error: there is no time zone \`Mars/Olympus\`
        defaults: {timezone: Mars/Olympus, topic: T}
                             ^^^^^^^^^^^^
      hint: use a name of the tz database such as \`Europe/Berlin\` or \`UTC\`

      pgtally.yaml:3:36: error: unknown field \`topic\` in \`defaults\`
        defaults: {timezone: Mars/Olympus, topic: T}
                                           ^^^^^
      hint: the fields here are: \`timezone\`, \`timeout\`, \`retries\`, \`delay\`, \`null_key\`, \`overlap\`, \`catchup\`, \`catchup_window\`, \`splay\`, \`concurrency\`, \`delivery\`, \`privileged\`

      2 errors"
    `);
  });

  it('an alias bomb', () => {
    expect(
      messages({
        'jobs/a.yaml': `query: &q select 1
topic: T
key: [*q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q]
`,
      }),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:407: error: more than 100 aliases in one document
        …, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q, *q]
                                                                           ^^
      hint: write the values out

      1 error"
    `);
  });

  it('an alias inside what it refers to', () => {
    expect(
      messages({
        'jobs/a.yaml': `${JOB}key: &k [a, *k]
`,
      }),
    ).toMatchInlineSnapshot(`
      "jobs/a.yaml:3:13: error: this alias stands inside the value it refers to
        key: &k [a, *k]
                    ^^
      hint: write the value out

      1 error"
    `);
  });
});

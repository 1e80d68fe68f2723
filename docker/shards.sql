-- The fleet of docker-compose.yml: databases shard1 … shard3, each with an empty table that is filled from Kafka, and the
-- role that pgtally connects as. Run once by the postgres image, when its volume is new.

create role pgtally login password 'pgtally';

create database shard1;
create database shard2;
create database shard3;

-- The first run of an ingest job makes the tables of its offsets, for which it may create a schema.
grant create on database shard1, shard2, shard3 to pgtally;

\connect shard1
create table main (group_id text, payload json);
grant select, insert on main to pgtally;

\connect shard2
create table main (group_id text, payload json);
grant select, insert on main to pgtally;

\connect shard3
create table main (group_id text, payload json);
grant select, insert on main to pgtally;

-- The fleet of docker-compose.yml: databases shard1 … shard3 with different rows, and the least-privileged role that
-- pgtally connects as. Run once by the postgres image, when its volume is new.

create role pgtally login password 'pgtally';

create database shard1;
create database shard2;
create database shard3;

\connect shard1
create table main (group_id text, payload json);
insert into main select 'P' || i % 2, json_build_object('id', i, 'shard', 1) from generate_series(1, 100) i;
grant select on main to pgtally;

\connect shard2
create table main (group_id text, payload json);
insert into main select 'P' || i % 3, json_build_object('id', i, 'shard', 2) from generate_series(1, 200) i;
grant select on main to pgtally;

\connect shard3
create table main (group_id text, payload json);
insert into main select 'P' || i % 4, json_build_object('id', i, 'shard', 3) from generate_series(1, 300) i;
grant select on main to pgtally;

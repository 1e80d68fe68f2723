// Kafka as Maven's jars in the cache folder: what runs a broker, and the console tools. Nothing is started here.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './repository.ts';

export const KAFKA_VERSION = '4.3.1';

export interface KafkaLibraries {
  /** The program `java`, 17 or newer. */
  readonly java: string;
  /** Folder of the jars. */
  readonly folder: string;
  /** Class path of a broker, a client and the console tools. */
  readonly classPath: string;
}

const run = promisify(execFile);
let libraries: Promise<KafkaLibraries> | undefined;

/**
 * Finds Java and brings the jars into `.cache/` unless they are there (44 MB, some 5 s with Maven, once).
 * Rejects with a message that names what is missing.
 */
export function kafkaLibraries(): Promise<KafkaLibraries> {
  libraries ??= prepare();
  return libraries;
}

async function prepare(): Promise<KafkaLibraries> {
  const hash = createHash('sha256').update(POM).digest('hex').slice(0, 8);
  const folder = join(cacheFolder('kafka'), `jars-${KAFKA_VERSION}-${hash}`);
  // Of JAVA_HOME where that is set, else by the search path.
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java';
  await checkJava(java);
  if (!existsSync(folder)) await download(folder);
  return { java, folder, classPath: join(folder, '*') };
}

async function checkJava(java: string): Promise<void> {
  let version: string;
  try {
    version = (await run(java, ['-version'])).stderr;
  } catch (error) {
    throw new Error(`\`${java}\` does not run: ${firstLine(error)}`, { cause: error });
  }
  // `17.0.15`, and `1.8.0` before 9.
  const major = Number(/version "(\d+)/.exec(version)?.[1]);
  if (!(major >= 17)) throw new Error(`\`${java}\` is version ${major}; Kafka ${KAFKA_VERSION} needs 17 or newer`);
}

/** Two processes may both download; each does it in a folder of its own, and a rename, which is atomic, shows the result. */
async function download(folder: string): Promise<void> {
  const work = mkdtempSync(`${folder}.part-`);
  try {
    writeFileSync(join(work, 'pom.xml'), POM);
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
    await run('mvn', ['-q', '-B', '-f', join(work, 'pom.xml'), goal, '-DoutputDirectory=jars'], { cwd: work });
    if (!readdirSync(join(work, 'jars')).includes(`kafka-clients-${KAFKA_VERSION}.jar`)) {
      throw new Error('no kafka-clients jar among what Maven copied');
    }
    if (!existsSync(folder)) renameSync(join(work, 'jars'), folder);
  } catch (error) {
    // The other process was first: its folder is as good.
    if (existsSync(folder)) return;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Error(
      missing ? '`mvn` (Maven) is not installed' : `Maven could not bring the jars of Kafka: ${firstLine(error)}`,
      { cause: error },
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function firstLine(error: unknown): string {
  const { stdout, message } = error as { stdout?: string; message: string };
  const lines = `${stdout ?? ''}\n${message}`.split('\n').map((line) => line.trim());
  return lines.find((line) => line.startsWith('[ERROR]')) ?? lines.find((line) => line !== '') ?? 'unknown error';
}

// kafka-tools without what only Connect needs (jetty, jersey): half the jars. ecj is a compiler that needs no JDK: Debian's
// Maven comes with a runtime only.
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>pgtally</groupId><artifactId>kafka-libraries</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${KAFKA_VERSION}</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
    <dependency><groupId>org.eclipse.jdt</groupId><artifactId>ecj</artifactId><version>3.37.0</version></dependency>
    <dependency><groupId>net.sourceforge.argparse4j</groupId><artifactId>argparse4j</artifactId><version>0.7.0</version></dependency>
  </dependencies>
</project>
`;

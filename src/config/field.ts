// What a field of a file is, as data: its type, limits, default, description and examples. Loading, checking, the JSON
// Schema and the reference page are all derived from such data; `fields/` holds it. Types only.
import type { Located, SourceText } from '../model/source.ts';
import type { FormatName } from './formats.ts';

/** A value as it could stand in a YAML file. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

export interface TextShape {
  readonly type: 'text';
  readonly format?: FormatName;
  /** Numbers and booleans are taken as they are written: `region: 1`. */
  readonly anyScalar?: true;
  readonly mayBeEmpty?: true;
}

/** SQL or cron: keeps the way from each character back to the file. */
export interface SqlShape {
  readonly type: 'sql';
  readonly language?: 'cron';
}

/** Limits are written as the value is: `14m`, `1 MiB`. */
export interface QuantityShape {
  readonly type: 'duration' | 'size';
  readonly minimum?: string;
  readonly maximum?: string;
}

export interface IntegerShape {
  readonly type: 'integer';
  readonly minimum: number;
  readonly maximum: number;
}

/** `10%`, read as the fraction 0.1. */
interface PercentShape {
  readonly type: 'percent';
}

interface BooleanShape {
  readonly type: 'boolean';
}

export interface ChoiceShape {
  readonly type: 'choice';
  readonly of: readonly string[];
}

export interface ListShape {
  readonly type: 'list';
  readonly items: Shape;
  readonly mayBeEmpty?: true;
}

/** A map with names of the user's own. */
export interface MapShape {
  readonly type: 'map';
  readonly names: FormatName;
  readonly values: Shape;
  readonly mayBeEmpty?: true;
}

export interface ObjectShape {
  readonly type: 'object';
  readonly fields: Fields;
  /** Among several objects of an `either`: the field by whose presence this one is known. */
  readonly marker?: string;
  /** Defaults are not filled in: what is not given stays absent. */
  readonly sparse?: true;
}

/** One of several shapes, told apart by how the value is written: as a scalar, a list or a map. */
export interface EitherShape {
  readonly type: 'either';
  readonly of: Readonly<Record<string, Shape>>;
}

export type Shape =
  | TextShape
  | SqlShape
  | QuantityShape
  | IntegerShape
  | PercentShape
  | BooleanShape
  | ChoiceShape
  | ListShape
  | MapShape
  | ObjectShape
  | EitherShape;

interface FieldInfo {
  /** Markdown, whole sentences. The first one stands in the editor's help. */
  readonly description: string;
  readonly required?: true;
  /** Its value is shown to nobody. */
  readonly secret?: true;
  /** The hint where a required field is missing. */
  readonly whenMissing?: string;
  readonly default?: Json;
  /** What absence means, where that is no value. */
  readonly absent?: string;
  readonly examples?: readonly Json[];
}

export type Field = Shape & FieldInfo;
export type Fields = Readonly<Record<string, Field>>;

/** One entry of a map. */
export interface Entry<V> {
  readonly name: Located<string>;
  readonly value: V;
}

/** What a value of shape S is once it is read. */
export type ValueOf<S> = S extends { readonly type: 'sql' }
  ? SourceText
  : S extends { readonly type: 'text' }
    ? Located<string>
    : S extends { readonly type: 'duration' | 'size' | 'integer' | 'percent' }
      ? Located<number>
      : S extends { readonly type: 'boolean' }
        ? Located<boolean>
        : S extends { readonly type: 'choice'; readonly of: readonly (infer C)[] }
          ? Located<C>
          : S extends { readonly type: 'list'; readonly items: infer I }
            ? Located<readonly ValueOf<I>[]>
            : S extends { readonly type: 'map'; readonly values: infer V }
              ? Located<readonly Entry<ValueOf<V>>[]>
              : S extends { readonly type: 'object'; readonly fields: infer F }
                ? Located<Draft<F>>
                : S extends { readonly type: 'either'; readonly of: infer O }
                  ? { readonly [K in keyof O]: { readonly as: K; readonly value: ValueOf<O[K]> } }[keyof O]
                  : never;

/** An object as it was found: what is absent or wrong is missing, so that the rest can be checked all the same. */
export type Draft<F> = { readonly [K in keyof F]?: ValueOf<F[K]> | undefined };

/** An object with all that is required or has a default. */
export type Complete<F> = {
  readonly [K in keyof F]: F[K] extends { readonly required: true } | { readonly default: Json }
    ? ValueOf<F[K]>
    : ValueOf<F[K]> | undefined;
};

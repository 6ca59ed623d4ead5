/** What a template needs to know about the project. */
export interface TemplateOptions {
  /** The name of the workflow: small letters, digits and hyphens. */
  readonly name: string;
  /** The user's own CSV file. Absent: the template writes sample data. */
  readonly csv?: OwnCsv | undefined;
}

/** A CSV file of the user, which is copied into the project. */
export interface OwnCsv {
  /** The content, byte for byte. */
  readonly content: Uint8Array;
  /** The names of the columns, without blanks around them. */
  readonly columns: readonly string[];
  /** The values of the first row. Absent: the file has none, or it cannot be parsed. */
  readonly row: readonly string[] | undefined;
  /** The options that `fileLines` needs for this file, beside `format`. */
  readonly options: Readonly<Record<string, string | boolean>>;
  /** What the user should know about the file. */
  readonly notes: readonly string[];
}

/** What a template writes for its source. */
export interface Template {
  /** The content of each file, by its path relative to the project. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** The test of the workflow. The import of the workflow is written by `init`. */
  readonly test: string;
}

/** A kind of source that `sluice init` offers. */
export interface SourceKind {
  /** What `--source` accepts. */
  readonly id: string;
  /** The line of the list that the user chooses from. */
  readonly label: string;
  /** The name of the workflow, if the user gives none. */
  readonly defaultName: string;
  /** Writes the workflow, its test and its sample data. */
  write(options: TemplateOptions): Template;
}

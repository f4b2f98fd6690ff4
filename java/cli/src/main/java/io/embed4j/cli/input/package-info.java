/** What there is to embed: items, read one after another from any of the formats, each with its place. */
package io.embed4j.cli.input;

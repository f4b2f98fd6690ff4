/** What reading and writing share: JSON, the errors that end a command, what the operating system says. */
package io.embed4j.cli.base;

/** The table of bench/README.md: rows with a gate and a goal each, measured in turns with what limits them and with peers. */
package io.embed4j.bench.table;

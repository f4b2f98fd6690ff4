/** The one class by which the Parquet reader finds Snappy, without the native library that usually has it. */
package org.xerial.snappy;

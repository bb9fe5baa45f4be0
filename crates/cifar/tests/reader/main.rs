//! What the reader and the writer promise, tested from outside on archives made byte by byte.

mod archives; //      makes small archives, whole and broken in every way
mod damage; //        no damage is ever accepted: every truncation, every flipped bit, random bytes
mod faults_data; //   files that are missing, of a wrong length, with wrong labels or names
mod faults_gzip; //   what is not gzip, is cut off, fails its checksum, goes on, or never ends
mod faults_tar; //    headers, names and kinds of entries that no release has
mod folders; //       folders of .bin files, and folders that contain an archive or such a folder
mod pictures; //      labels, planes and pixels arrive where they belong
mod releases; //      full-size sets, in the official order, and counts that are off by one
mod writing; //       what is written reads back the same, is deterministic, and overwrites nothing

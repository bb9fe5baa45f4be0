//! Tests the reader and the writer from outside, on archives built byte by byte.

mod archives; //      builds small archives, valid and broken
mod damage; //        damage: every truncation, every flipped bit, random bytes
mod faults_data; //   missing files, wrong lengths, labels and names
mod faults_gzip; //   the gzip layer: other formats, truncation, checksums, trailing and endless data
mod faults_tar; //    the tar layer: headers, names and kinds of entries that are in neither release
mod folders; //       folders of .bin files, and folders that contain an archive or such a folder
mod pictures; //      labels, planes and pixels end up where they belong
mod releases; //      full-size sets, the official order of files, counts that are off by one
mod writing; //       written sets read back equal, are deterministic, and overwrite nothing

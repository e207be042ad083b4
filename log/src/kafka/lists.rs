//! Lists of partitions as the client takes them.

use crate::{Error, Result, TopicPartition};
use rdkafka::{Offset, TopicPartitionList};

pub(super) fn add(list: &mut TopicPartitionList, at: &TopicPartition, offset: Offset) -> Result<()> {
    let refused = |_| Error::Other(format!("{} partition {} has no offset {offset:?}", at.topic, at.partition));
    list.add_partition_offset(&at.topic, at.partition, offset).map_err(refused)
}

pub(super) fn list_of<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        list.add_partition(&at.topic, at.partition);
    }
    list
}

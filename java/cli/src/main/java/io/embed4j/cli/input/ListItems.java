package io.embed4j.cli.input;

import java.util.List;

/** Items of a list that is known beforehand. */
abstract class ListItems<T> implements Items {
  private final List<T> list;
  private int next;

  ListItems(List<T> list) {
    this.list = list;
  }

  /** The list. */
  final List<T> list() {
    return list;
  }

  /** What an entry holds; index from 0. */
  abstract Item item(T entry, int index);

  @Override
  public Item next() {
    if (next == list.size()) return null;
    int index = next++;
    return item(list.get(index), index);
  }

  @Override
  public boolean ready() {
    return true;
  }

  @Override
  public void resume(Cursor cursor) {
    next = Math.toIntExact(cursor.items());
  }

  @Override
  public long size() {
    return list.size();
  }
}

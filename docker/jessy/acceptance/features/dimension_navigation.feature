Feature: Navigation through the dimensions of the mapped file
  The core counts in a file that it maps into memory. Each number in it is a dimension: how often
  the core was started, how many notes were written, which is the newest, and how often the API was
  started, which that program counts. A dimension can be read on three layers, and each has to show
  the same: the bytes of the file on the volume, the core that maps it, and the API, another program
  that shares the file.

  Background:
    Given a stack that is up and healthy

  Scenario: The file says what it is
    Then the file begins with "JESSYMM1"
    And it is 4096 bytes long
    And it belongs to user 1000 with mode 0660

  Scenario Outline: A dimension is the same on every layer
    Given a note "seen on every layer" was written
    When I go to the dimension "<dimension>" on the layer "file"
    And I go up to the layer "core"
    And I go up to the layer "api"
    Then every layer showed the same number
    And it is the number at byte <offset> of the file

    Examples:
      | dimension     | offset |
      | starts        | 8      |
      | notes_written | 16     |
      | newest_note   | 24     |
      | api_starts    | 32     |

  Scenario: What the API counts is seen by the core
    Then the dimension "api_starts" is at least 1

  Scenario: A note moves two dimensions and leaves the third
    Given I know where every dimension stands
    When a note "one step further" is written
    Then the dimension "notes_written" moved by 1
    And the dimension "newest_note" points to this note
    And the dimension "starts" did not move

  Scenario: From the newest dimension to the note itself
    Given a note "the way down to the row" was written
    When I follow the dimension "newest_note" to its note
    Then I find the text "the way down to the row"

  Scenario: What is refused moves nothing
    Given I know where every dimension stands
    When a note without text is written
    Then it is refused with status 400
    And no dimension moved

  Scenario: The same request twice is one step
    Given I know where every dimension stands
    When a note "only once" is written twice under the same key
    Then both answers name the same note
    And the dimension "notes_written" moved by 1

  Scenario: There is nothing beyond the last dimension
    When I go past the last dimension
    Then every byte there is zero

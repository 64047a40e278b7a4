-- Level 3 learners by subject: Greater Manchester next to the North West
SELECT s.sector_subject_area_name AS subject, greater_manchester, north_west
FROM (
  SELECT subject AS code,
         count(*) FILTER (WHERE combined_authority_home = 'Greater Manchester') AS greater_manchester,
         count(*) AS north_west
  FROM learners
  WHERE level = 'Level 3' AND region_home = 'North West'
  GROUP BY subject
)
JOIN sector_subject_area s ON s.sector_subject_area = code
ORDER BY subject
